import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose';
import { pythonOf } from '../../scripts/python-environments.mjs';
import { ROOT } from '../../scripts/repository.ts';
import { textsBelow } from '../support/leaks.ts';
import { type CommandEnd, plumbline } from '../support/plumbline-command.ts';
import { ServedGateway } from '../support/served-gateway.ts';
import { TaskTokenClient } from '../support/task-token-client.ts';

const ISSUER = 'https://tokens.example.com';
const AUDIENCE = 'api://AzureADTokenExchange';
const ROLE = { tasks: ['Gate'], taskIdentities: [{ tasks: ['Gate'], identity: 'gatekeeper' }] };
const AZURE = { clientId: '11111111-2222-4333-8444-555555555555', tenantId: '66666666-7777-4888-9999-aaaaaaaaaaaa' };
const POLICY = { identities: { gatekeeper: { azure: AZURE } } };

/** A gateway as an issuer, with a run that may have tokens. */
class Issuing {
  readonly gateway: ServedGateway;
  readonly client: TaskTokenClient;
  #worker = '';

  constructor(keys: Readonly<Record<string, unknown>>) {
    const config = { issuer: { url: ISSUER, keys: { kind: 'files', ...keys } } };
    this.gateway = new ServedGateway({ config, role: ROLE, policy: POLICY });
    this.client = new TaskTokenClient(this.gateway);
  }

  async start(): Promise<void> {
    const { gateway, client } = this;
    await gateway.start();
    const answer = await gateway.create(gateway.token(), 'gate', { task: 'Gate', parameters: { name: 'one' } });
    const { id } = (await answer.json()) as { id: string };
    await gateway.until(() => existsSync(`${gateway.out}/waiting-one`));
    this.#worker = client.tokens.issue(`${id}.1`);
  }

  get keyFolder(): string {
    return join(this.gateway.folder, 'state/keys/issuer');
  }

  async token(): Promise<string> {
    const answer = await this.client.exchange(this.#worker);
    assert.equal(answer.status, 200, answer.text);
    return (JSON.parse(answer.text) as { access_token: string }).access_token;
  }

  document(name: string, init: RequestInit = {}): Promise<Response> {
    return fetch(`${this.gateway.url}/.well-known/${name}`, init);
  }

  async keys(): Promise<JSONWebKeySet> {
    return (await this.document('jwks.json')).json() as Promise<JSONWebKeySet>;
  }

  async kids(): Promise<readonly string[]> {
    return (await this.keys()).keys.map(({ kid = '' }) => kid);
  }

  command(...words: readonly string[]): Promise<CommandEnd> {
    return plumbline('issuer', ...words, '--config', this.gateway.configFile);
  }

  async done(...words: readonly string[]): Promise<readonly { kid: string; state: string; inForce: string | null }[]> {
    const end = await this.command(...words, '--json');
    assert.deepEqual([end.status, end.error], [0, ''], end.out);
    return JSON.parse(end.out).keys;
  }

  transitions(): readonly string[] {
    const own = this.gateway.audit().filter(({ type }) => type === 'dev.plumbline.issuer.key');
    return own.map(({ data }) => `${data['result']} ${data['keyId']}`);
  }
}

const kidOf = (token: string) => decodeProtectedHeader(token).kid ?? '';

describe('keys of a served issuer', function () {
  this.timeout(120_000);

  describe('by hand', () => {
    const issuing = new Issuing({ rotateEvery: '0s', publishFor: '2s' });
    const { gateway } = issuing;
    before(() => issuing.start());
    after(() => gateway.close());

    const verify = async (token: string) =>
      jwtVerify(token, createLocalJWKSet(await issuing.keys()), { issuer: ISSUER, algorithms: ['RS256'] });
    const published = (...kids: string[]) =>
      gateway.until(async () => (await issuing.kids()).toSorted().join() === kids.toSorted().join());
    const stateOf = async (kid: string) => (await issuing.done('keys')).find((one) => one.kid === kid)?.inForce;

    it('are published for anybody, with what a reader may keep', async () => {
      const discovery = await issuing.document('openid-configuration');
      assert.equal(discovery.headers.get('content-type'), 'application/json; charset=utf-8');
      const described = await discovery.json();
      assert.deepEqual(described, {
        issuer: ISSUER,
        jwks_uri: `${ISSUER}/.well-known/jwks.json`,
        token_endpoint: `${ISSUER}/v1/token`,
        response_types_supported: ['id_token'],
        grant_types_supported: ['urn:ietf:params:oauth:grant-type:token-exchange'],
        token_endpoint_auth_methods_supported: ['none'],
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: ['RS256'],
        claims_supported: ['iss', 'sub', 'aud', 'iat', 'nbf', 'exp', 'jti', 'act', 'plumbline'],
      });
      const keys = await issuing.document('jwks.json');
      assert.equal(keys.headers.get('cache-control'), 'public, max-age=0', 'a quarter of two seconds');
      const etag = keys.headers.get('etag') ?? '';
      const again = await issuing.document('jwks.json', { headers: { 'if-none-match': `"other", W/${etag}` } });
      assert.deepEqual([again.status, await again.text()], [304, '']);
    });

    it('are described by the API’s own document', async () => {
      const { paths } = (await (await gateway.request('/v1/openapi.json', undefined)).json()) as { paths: object };
      for (const name of ['openid-configuration', 'jwks.json']) assert.ok(`/.well-known/${name}` in paths, name);
    });

    it('change while tokens are about, and every token stays good', async () => {
      const before = await issuing.token();
      const [first] = await issuing.kids();
      assert.equal(kidOf(before), first);
      const [, second] = (await issuing.done('prepare')).map(({ kid }) => kid) as [string, string];
      const early = await issuing.command('activate', second);
      assert.deepEqual([early.status, early.out], [1, '']);
      assert.match(early.error, /^ERR_INPUT_INVALID: .*(not published it yet|published for)/);
      await published(first ?? '', second);
      assert.equal(kidOf(await issuing.token()), first, 'it is published and does not sign');

      await gateway.until(async () => (await issuing.command('activate', second)).status === 0);
      await gateway.until(async () => kidOf(await issuing.token()) === second);
      const after = await issuing.token();
      for (const token of [before, after]) await verify(token);
      assert.equal(await stateOf(first ?? ''), 'retired');
      assert.deepEqual(issuing.transitions(), [
        `activated ${first}`,
        `prepared ${second}`,
        `retired ${first}`,
        `activated ${second}`,
      ]);
    });

    it('verify by PyJWT, which finds the keys itself', async () => {
      const token = await issuing.token();
      const [header, payload, signature] = token.split('.') as [string, string, string];
      const forged = Buffer.from(payload, 'base64url').toString().replace('gatekeeper', 'gatekeepeR');
      const python = spawn(pythonOf(ROOT, 'clouds'), [
        resolve(ROOT, 'test/support/verify_tokens.py'),
        gateway.url,
        AUDIENCE,
      ]);
      let said = '';
      python.stdout.on('data', (part) => (said += String(part)));
      python.stdin.end(`${token}\n${header}.${Buffer.from(forged).toString('base64url')}.${signature}\n`);
      await once(python, 'close');
      const [claims, refused] = said
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
      assert.deepEqual([claims.iss, claims.sub, claims.aud], [ISSUER, 'plumbline:gatekeeper', AUDIENCE]);
      assert.equal(refused, 'InvalidSignatureError');
    });

    it('are refused at once when somebody else may have one, and its private part is gone', async () => {
      const before = await issuing.token();
      const lost = kidOf(before);
      const refused = await issuing.command('retire', lost);
      assert.match(refused.error, /^ERR_INPUT_INVALID: .*signs\..*--now/s);
      await issuing.done('retire', lost, '--now');
      assert.ok(!existsSync(join(issuing.keyFolder, `${lost}.pem`)));
      await gateway.until(async () => !(await issuing.kids()).includes(lost));
      await assert.rejects(verify(before), /no applicable key/);
      const after = await issuing.token();
      assert.notEqual(kidOf(after), lost);
      await verify(after);
      assert.ok(issuing.transitions().includes(`removed ${lost}`));
    });

    it('are prepared once, however many ask at the same time', async () => {
      const ends = await Promise.all(Array.from({ length: 4 }, () => issuing.command('prepare', '--json')));
      assert.deepEqual(ends.map(({ status }) => status).sort(), [0, 1, 1, 1]);
      assert.ok(ends.every(({ status, error }) => status === 0 || /is prepared already/.test(error)));
      const prepared = (await issuing.done('keys')).find(({ state }) => state === 'prepared');
      await issuing.done('retire', prepared?.kid ?? '');
    });

    it('are exported as they are served', async () => {
      await gateway.until(async () => (await issuing.done('keys')).every(({ state, inForce }) => state === inForce));
      const folder = join(gateway.folder, 'site');
      const end = await issuing.command('export', folder);
      assert.equal(end.status, 0, end.error);
      for (const name of ['openid-configuration', 'jwks.json'])
        assert.equal(
          readFileSync(join(folder, '.well-known', name), 'utf8'),
          await (await issuing.document(name)).text(),
          name,
        );
    });

    it('leave nothing of a private part anywhere but in their own files', async () => {
      const pems = readdirSync(issuing.keyFolder).filter((name) => name.endsWith('.pem'));
      assert.equal(pems.length, 1, 'retired keys have none');
      const secret = readFileSync(join(issuing.keyFolder, pems[0] ?? ''), 'utf8')
        .split('\n')
        .slice(1, -2);
      const places = [
        ...textsBelow(gateway.folder, (name) => name.endsWith('.pem')),
        { place: 'log', text: gateway.log },
        { place: 'served', text: JSON.stringify(await issuing.keys()) },
      ];
      for (const { place, text } of places)
        for (const line of secret) assert.ok(!text.includes(line), `a piece of the private key stands in ${place}`);
    });

    it('are not used when others may read them', async () => {
      await gateway.stop();
      chmodSync(issuing.keyFolder, 0o750);
      const end = await plumbline('gateway', 'serve', '--config', gateway.configFile);
      assert.equal(end.status, 1);
      assert.match(end.error, /^ERR_FILE_UNREADABLE: .*others may use it/);
      chmodSync(issuing.keyFolder, 0o700);
      await gateway.start();
      await verify(await issuing.token());
    });
  });

  it('rotate by themselves while the gateway is killed again and again; no token is ever refused', async () => {
    const issuing = new Issuing({ rotateEvery: '3s', publishFor: '1s' });
    const { gateway } = issuing;
    try {
      await issuing.start();
      const tokens: string[] = [];
      const check = async () => {
        tokens.push(await issuing.token());
        const keys = await issuing.keys();
        assert.ok(keys.keys.length <= 5);
        for (const token of tokens)
          await jwtVerify(token, createLocalJWKSet(keys), { issuer: ISSUER, algorithms: ['RS256'] });
      };
      for (const afterMs of [700, 1_900, 2_600, 3_300]) {
        const until = Date.now() + afterMs;
        await gateway.until(async () => {
          await check();
          return Date.now() >= until;
        });
        await gateway.stop('SIGKILL');
        await gateway.start();
        await check();
      }
      await gateway.until(async () => {
        await check();
        return new Set(tokens.map(kidOf)).size >= 3;
      });
      const signed = [...new Set(tokens.map(kidOf))];
      for (const kid of signed) assert.ok(issuing.transitions().includes(`activated ${kid}`));
    } finally {
      await gateway.close();
    }
  });

  it('stay usable when a command is killed at any time', async () => {
    const issuing = new Issuing({ rotateEvery: '0s', publishFor: '0s' });
    const { gateway } = issuing;
    try {
      await gateway.configure();
      mkdirSync(join(gateway.folder, 'state'), { mode: 0o700 });
      await issuing.done('prepare');
      for (let round = 0; round < 5; round++) {
        const child = spawn(process.execPath, [resolve(ROOT, 'test/support/gateway/turn-keys.ts'), gateway.configFile]);
        await once(child.stdout, 'data');
        await new Promise((passed) => setTimeout(passed, 20 + round * 59));
        child.kill('SIGKILL');
        await once(child, 'close');
        const keys = await issuing.done('keys');
        assert.equal(keys.filter(({ state }) => state === 'active').length, 1);
        const active = keys.find(({ state }) => state === 'active')?.kid;
        assert.ok(existsSync(join(issuing.keyFolder, `${active}.pem`)), 'what is to sign can');
      }
      await issuing.start();
      await jwtVerify(await issuing.token(), createLocalJWKSet(await issuing.keys()), { issuer: ISSUER });
      assert.deepEqual(
        readdirSync(issuing.keyFolder).filter((name) => name.endsWith('.unfinished')),
        [],
      );
    } finally {
      await gateway.close();
    }
  });
});
