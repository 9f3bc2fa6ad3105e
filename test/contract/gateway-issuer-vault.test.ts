import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose';
import { stringify } from 'yaml';
import type { Clock } from '#core/clock.ts';
import { systemClock } from '#core/clock.ts';
import { openTokenIssuer } from '#gateway/issuer/open-token-issuer.ts';
import type { TokenIssuer } from '#gateway/issuer/token-issuer.ts';
import type { Http } from '#http/http.ts';
import type { AzureDeclaration } from '#local-azure/declaration.ts';
import { eventually } from '../support/eventually.ts';
import { type HandClock, handClock } from '../support/hand-clock.ts';
import { plumbline } from '../support/plumbline-command.ts';
import { failure } from '../support/plumbline-failure.ts';
import { type VaultWithKeys, vaultWithKeys } from '../support/vault-with-keys.ts';

const DAY = 86_400_000;
const REFRESH = 300_000;
const URL = 'https://gateway.example.com';
const CLAIMS = { sub: 'plumbline:load', aud: 'api://AzureADTokenExchange' };
const SIGN = /^\/keys\/[^/]+\/[0-9a-f]{32}\/sign/;

interface Opened {
  readonly issuer: TokenIssuer;
  readonly world: VaultWithKeys;
  readonly clock: HandClock;
  readonly recorded: string[];
  readonly errors: string[];
}

describe('an issuer whose keys are in Azure Key Vault', function () {
  this.timeout(60_000);
  const closers: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0).toReversed()) await close();
  });

  const open = async (
    more: Partial<AzureDeclaration> = {},
    { key = 'issuer', http = (real: Http) => real, audited = async () => {}, real = false } = {},
  ): Promise<Opened> => {
    const world = await vaultWithKeys(more);
    closers.push(() => world.close());
    const clock = handClock(Date.now());
    const recorded: string[] = [];
    const errors: string[] = [];
    const issuer = await openTokenIssuer({
      config: {
        url: URL,
        lifetimeMs: 600_000,
        keys: { kind: 'azure-key-vault', vault: 'myvault', key, publishForMs: DAY },
      },
      stateDirectory: '/nowhere',
      clock: real ? (systemClock as Clock) : clock,
      log: { info: () => {}, error: (_, message) => void errors.push(message) },
      audited: async (kid, result) => {
        await audited();
        recorded.push(`${result} ${kid}`);
      },
      identity: () => world.identity,
      http: http(world.agent.http),
    });
    closers.push(() => issuer.close());
    return { issuer, world, clock, recorded, errors };
  };
  const verified = async ({ issuer, clock }: Opened, token: string) => {
    const keys = createLocalJWKSet({ keys: issuer.keys() } as unknown as JSONWebKeySet);
    const { payload } = await jwtVerify(token, keys, {
      issuer: URL,
      algorithms: ['RS256'],
      currentDate: new Date(clock.now()),
    });
    return payload;
  };
  const kidOf = (token: string) => decodeProtectedHeader(token).kid;
  const listed = async (opened: Opened, howMany: number) => {
    opened.clock.move(REFRESH);
    await eventually(() => opened.issuer.keys().length === howMany, `${howMany} keys`);
  };

  for (const key of ['issuer', 'wide'])
    it(`gives tokens that the vault signed and everybody can verify (${key})`, async () => {
      const opened = await open({}, { key });
      const { token, keyId, id } = await opened.issuer.issue(CLAIMS);
      assert.equal((await verified(opened, token)).jti, id);
      assert.equal(kidOf(token), keyId);
      assert.deepEqual(opened.recorded, [`activated ${keyId}`]);
      assert.equal(opened.world.asked('POST', SIGN), 2, 'the first is the vault asking for a token');
      assert.deepEqual(Object.keys(opened.issuer.keys()[0] ?? {}).sort(), ['alg', 'e', 'kid', 'kty', 'n', 'use']);
    });

  it('lets a new version sign when it was published for long enough; the old one stays published', async () => {
    const opened = await open();
    const { issuer, world, clock, recorded } = opened;
    const before = await issuer.issue(CLAIMS);
    await world.officer.rotateKey('issuer');
    await listed(opened, 2);
    assert.equal((await issuer.issue(CLAIMS)).keyId, before.keyId);
    const next = issuer.keys().find(({ kid }) => kid !== before.keyId)?.kid ?? '';
    assert.deepEqual(recorded, [`activated ${before.keyId}`, `prepared ${next}`]);

    clock.move(DAY - 2 * REFRESH);
    const late = await issuer.issue(CLAIMS);
    assert.equal(late.keyId, before.keyId);
    clock.move(3 * REFRESH);
    await eventually(() => recorded.length === 4, 'the new version signs');
    const after = await issuer.issue(CLAIMS);
    assert.equal(after.keyId, next);
    assert.deepEqual(recorded.slice(2).sort(), [`activated ${next}`, `retired ${before.keyId}`]);
    await verified(opened, after.token);
    await verified({ ...opened, clock: handClock(late.expiresAt - 1_000) }, late.token);

    clock.move(-3 * DAY);
    assert.equal((await issuer.issue(CLAIMS)).keyId, next, 'a clock that is set back brings no old key back');
  });

  it('signs with another version at once when the one that signed was disabled, and publishes it no more', async () => {
    const opened = await open();
    const { issuer, world } = opened;
    const before = await issuer.issue(CLAIMS);
    const made = await world.officer.getKey('issuer');
    await world.officer.rotateKey('issuer');
    await listed(opened, 2);
    await world.officer.updateKeyProperties('issuer', made.properties.version ?? '', { enabled: false });
    const after = await issuer.issue(CLAIMS);
    assert.notEqual(after.keyId, before.keyId);
    await verified(opened, after.token);
    await assert.rejects(verified(opened, before.token), /no applicable key/);
    assert.equal(issuer.problem(), undefined);
  });

  it('signs with no version that is not for signing any more', async () => {
    const opened = await open();
    const { issuer, world } = opened;
    const before = await issuer.issue(CLAIMS);
    const made = await world.officer.getKey('issuer');
    await world.officer.rotateKey('issuer');
    await listed(opened, 2);
    await world.officer.updateKeyProperties('issuer', made.properties.version ?? '', { keyOps: ['verify'] });
    const after = await issuer.issue(CLAIMS);
    assert.notEqual(after.keyId, before.keyId);
    await verified(opened, after.token);
  });

  it('asks for a list and nothing else while nothing changes', async () => {
    const { issuer, world, clock } = await open();
    const [reads, lists] = [
      () => world.asked('GET', /^\/keys\/issuer\/[0-9a-f]{32}\?/),
      () => world.asked('GET', /\/versions/),
    ];
    const [read, list] = [reads(), lists()];
    for (let turn = 1; turn <= 3; turn++) {
      clock.move(REFRESH);
      await eventually(() => lists() === list + turn && clock.sleeping === 1, 'a list');
    }
    assert.equal(reads(), read);
    assert.equal(issuer.problem(), undefined);
  });

  it('is listed and exported by the commands, which change nothing in the vault', async () => {
    const world = await vaultWithKeys();
    closers.push(() => world.close());
    await world.officer.rotateKey('issuer');
    const folder = mkdtempSync(join(tmpdir(), 'issuer-vault-'));
    closers.push(async () => rmSync(folder, { recursive: true, force: true }));
    const config = join(folder, 'gateway.yaml');
    const { proxyUrl, caFile } = world.job.azure;
    const settings = {
      apiVersion: 'plumbline.dev/gateway/v1',
      stateDirectory: 'state',
      runsDirectory: 'runs',
      policyFile: 'policy.yaml',
      issuer: { url: URL, keys: { kind: 'azure-key-vault', vault: 'myvault', key: 'issuer' } },
      identity: { kind: 'workload' },
      network: { proxy: { url: proxyUrl }, caFile },
    };
    writeFileSync(config, stringify(settings));
    const keys = await plumbline('issuer', 'keys', '--config', config, '--json');
    assert.equal(keys.status, 0, keys.error);
    const rows = JSON.parse(keys.out).keys as { kid: string; state: string; id: string }[];
    assert.deepEqual(
      rows.map(({ state }) => state),
      ['prepared', 'active'],
    );
    assert.ok(rows.every(({ id }) => id.startsWith('https://myvault.vault.azure.net/keys/issuer/')));
    const exported = await plumbline('issuer', 'export', join(folder, 'site'), '--config', config);
    assert.equal(exported.status, 0, exported.error);
    const set = JSON.parse(readFileSync(join(folder, 'site/.well-known/jwks.json'), 'utf8')) as JSONWebKeySet;
    assert.deepEqual(
      set.keys.map(({ kid }) => kid),
      rows.map(({ kid }) => kid),
    );
    for (const command of ['prepare', 'activate x', 'retire x --now']) {
      const end = await plumbline('issuer', ...command.split(' '), '--config', config);
      assert.equal(end.status, 1);
      assert.match(end.error, /^ERR_INPUT_INVALID: .*in vault myvault.*az keyvault key rotate/s);
    }
  });

  it('publishes five versions at most, with the one that signs', async () => {
    const opened = await open();
    const { keyId } = await opened.issuer.issue(CLAIMS);
    for (let made = 0; made < 6; made++) await opened.world.officer.rotateKey('issuer');
    await listed(opened, 5);
    assert.ok(opened.issuer.keys().some(({ kid }) => kid === keyId));
    assert.equal((await opened.issuer.issue(CLAIMS)).keyId, keyId);
  });

  const throttled = (retryAfter: number, count: number): Partial<AzureDeclaration> => ({
    faults: [
      {
        host: 'myvault.vault.azure.net',
        path: '/keys/*/sign*',
        kind: 'status',
        status: 429,
        retryAfter,
        skip: 1,
        count,
      },
    ],
  });

  it('waits as long as a vault asks for that has too many requests', async () => {
    const opened = await open(throttled(1, 2), { real: true });
    const began = Date.now();
    const { token } = await opened.issuer.issue(CLAIMS);
    assert.ok(Date.now() - began >= 2_000, 'twice a second');
    await verified({ ...opened, clock: handClock(Date.now()) }, token);
    assert.equal(opened.issuer.problem(), undefined);
  });

  it('says at once that it cannot when the vault asks for more time than there is, and leaves it alone', async () => {
    const opened = await open(throttled(60, 1));
    const { issuer, world, clock } = opened;
    await assert.rejects(issuer.issue(CLAIMS), failure('ERR_ISSUER_UNAVAILABLE', /answered 429/));
    const asked = world.asked('POST', SIGN);
    await assert.rejects(issuer.issue(CLAIMS), failure('ERR_ISSUER_UNAVAILABLE', /answered 429/));
    assert.equal(world.asked('POST', SIGN), asked);
    assert.match(issuer.problem() ?? '', /answered 429/);
    clock.move(61_000);
    await verified(opened, (await issuer.issue(CLAIMS)).token);
    assert.equal(issuer.problem(), undefined);
  });

  it('issues nothing while the vault is away, and goes on when it is back', async () => {
    const opened = await open({
      faults: [{ host: 'myvault.vault.azure.net', path: '/keys/*', kind: 'reset', skip: 4, count: 3 }],
    });
    const { issuer } = opened;
    const outcomes: string[] = [];
    await eventually(async () => {
      outcomes.push(
        await issuer.issue(CLAIMS).then(
          ({ token }) => token,
          (error: { code: string }) => error.code,
        ),
      );
      return outcomes.at(-1)?.startsWith('ey') === true;
    }, 'a token');
    assert.ok(outcomes.includes('ERR_ISSUER_UNAVAILABLE'), outcomes.join());
    assert.equal(issuer.keys().length, 1, 'keys stay published');
    await verified(opened, outcomes.at(-1) ?? '');
  });

  it('opens without rights, says why it cannot sign, and publishes nothing rather than an empty list', async () => {
    const { issuer, recorded, errors } = await open({ roleAssignments: [] });
    assert.match(issuer.problem() ?? '', /^the vault answered 403 \(Forbidden\)$/);
    assert.deepEqual([issuer.keys(), recorded], [[], []]);
    await assert.rejects(issuer.issue(CLAIMS), failure('ERR_ISSUER_UNAVAILABLE', /403/));
    assert.deepEqual(errors, ["The issuer's key in the vault: the vault answered 403 (Forbidden)"]);
  });

  it('asks again soon when the vault did not answer at the start', async () => {
    const opened = await open({
      faults: [{ host: 'myvault.vault.azure.net', path: '/keys/issuer/versions*', kind: 'reset', count: 1 }],
    });
    const { issuer, clock } = opened;
    assert.match(issuer.problem() ?? '', /versions failed/);
    clock.move(2_000);
    await eventually(() => issuer.problem() === undefined, 'an answer');
    await verified(opened, (await issuer.issue(CLAIMS)).token);
  });

  it('lets the gateway start though the vault does not answer', async () => {
    const slow = { host: 'myvault.vault.azure.net', kind: 'latency', delayMs: 8_000 } as const;
    const { issuer } = await open({ faults: [slow] }, { real: true });
    assert.match(issuer.problem() ?? '', /are asked for|timed out|within/);
    assert.deepEqual(issuer.keys(), []);
  });

  for (const [key, why] of [
    ['absent', /404 \(KeyNotFound\)/],
    ['curve', /no version of its key can sign/],
    ['cipher', /no version of its key can sign/],
    ['dated', /no version of its key can sign/],
  ] as const)
    it(`does not sign with ${key}`, async () => {
      const { issuer } = await open({}, { key });
      assert.match(issuer.problem() ?? '', why);
      await assert.rejects(issuer.issue(CLAIMS), failure('ERR_ISSUER_UNAVAILABLE', why));
    });

  it('uses no key that could not be put on record', async () => {
    const audited = async () => {
      throw new Error('the disk is full');
    };
    const { issuer } = await open({}, { audited });
    assert.deepEqual(issuer.keys(), []);
    await assert.rejects(issuer.issue(CLAIMS), failure('ERR_ISSUER_UNAVAILABLE', /the disk is full/));
  });

  it('asks the vault for no more than 32 signatures at a time', async () => {
    let [now, most] = [0, 0];
    const counted = (http: Http): Http => ({
      ...http,
      request: async (wanted) => {
        if (!SIGN.test(new globalThis.URL(wanted.url).pathname)) return http.request(wanted);
        now += 1;
        most = Math.max(most, now);
        return http.request(wanted).finally(() => {
          now -= 1;
        });
      },
    });
    const { issuer } = await open({}, { http: counted });
    const tokens = await Promise.all(Array.from({ length: 100 }, () => issuer.issue(CLAIMS)));
    assert.equal(new Set(tokens.map(({ id }) => id)).size, 100);
    assert.equal(most, 32);
  });
});
