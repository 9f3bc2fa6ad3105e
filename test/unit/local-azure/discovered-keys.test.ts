import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type CertificateAuthority, createCertificateAuthority } from '#local-azure/certificate-authority.ts';
import { DiscoveredKeys } from '#local-azure/discovered-keys.ts';
import { EntraError } from '#local-azure/entra-error.ts';
import type { RecordedExchange } from '#local-azure/exchange.ts';

const HOST = 'issuer.contoso.example';
const ISSUER = `https://${HOST}`;
const DISCOVERY = '/.well-known/openid-configuration';
const KEY = (kid: string) => ({ kty: 'RSA', kid, n: 'AQ', e: 'AQAB' });

/** What the issuer answers, by path. */
interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: unknown;
}

describe('the keys of an issuer that Entra reads itself', () => {
  let authority: CertificateAuthority;
  let server: Server;
  let answers: Map<string, Answer>;
  let asked: string[];
  let recorded: RecordedExchange[];
  let now = 0;

  before(async () => {
    authority = await createCertificateAuthority();
    server = createServer(authority.issue([HOST]), (request, response) => {
      asked.push(`${request.headers.host} ${request.url}`);
      const { status = 200, headers, body } = answers.get(request.url ?? '') ?? { status: 404, body: '' };
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(typeof body === 'string' ? body : JSON.stringify(body));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  after(async () => {
    server.closeAllConnections();
    server.close();
    await authority.remove();
  });
  beforeEach(() => {
    asked = [];
    recorded = [];
    answers = new Map([
      [DISCOVERY, { body: document() }],
      ['/keys', { body: { keys: [KEY('one')] } }],
    ]);
  });

  const document = (changes: Readonly<Record<string, unknown>> = {}) => ({
    issuer: ISSUER,
    jwks_uri: `${ISSUER}/keys`,
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
    ...changes,
  });
  const reader = (issuer = ISSUER, port = (server.address() as AddressInfo).port) =>
    new DiscoveredKeys({
      declared: { issuer, discovery: { address: `127.0.0.1:${port}`, caFile: authority.caFile } },
      clock: { now: () => now, sleep: async () => {} },
      record: (exchange) => recorded.push(exchange),
    });
  const kids = async (keys: DiscoveredKeys, kid?: string) => (await keys.keys(kid)).keys.map((key) => key.kid);

  it('are read by the name of the issuer when they are first needed, and kept', async () => {
    const keys = reader();
    assert.deepEqual(asked, []);
    const found = await Promise.all([kids(keys, 'one'), kids(keys, 'one'), kids(keys)]);
    assert.deepEqual(found, [['one'], ['one'], ['one']]);
    assert.deepEqual(asked, [`${HOST} ${DISCOVERY}`, `${HOST} /keys`]);
    assert.deepEqual(
      recorded.map(({ host, path, status }) => [host, path, status]),
      [
        [HOST, DISCOVERY, 200],
        [HOST, '/keys', 200],
      ],
    );
  });

  it('are read again for a key that is not among them, for the same one once a minute', async () => {
    const keys = reader();
    await keys.keys('one');
    answers.set('/keys', { body: { keys: [KEY('one'), KEY('two')] } });
    assert.deepEqual(await kids(keys, 'two'), ['one', 'two']);
    assert.equal(asked.length, 4);
    await keys.keys('three');
    await keys.keys('three');
    await keys.keys('two');
    assert.equal(asked.length, 6);
    now += 60_000;
    await keys.keys('three');
    assert.equal(asked.length, 8);
  });

  it('are read again after a day, and a key that was taken back is gone then', async () => {
    const keys = reader();
    await keys.keys('one');
    answers.set('/keys', { body: { keys: [KEY('two')] } });
    assert.deepEqual(await kids(keys, 'one'), ['one']);
    now += 24 * 3_600_000;
    assert.deepEqual(await kids(keys, 'one'), ['two']);
  });

  it('an issuer that was away is asked again', async () => {
    const keys = reader();
    answers.set('/keys', { status: 503, body: {} });
    await assert.rejects(keys.keys('one'), EntraError);
    answers.set('/keys', { body: { keys: [KEY('one')] } });
    assert.deepEqual(await kids(keys, 'one'), ['one']);
  });

  it('no more than a hundred of them count', async () => {
    answers.set('/keys', { body: { keys: Array.from({ length: 120 }, (_, i) => KEY(String(i))) } });
    assert.equal((await kids(reader(), '0')).length, 100);
  });

  const bad: readonly (readonly [string, string, Answer, RegExp])[] = [
    ['another issuer', DISCOVERY, { body: document({ issuer: `${ISSUER}/` }) }, /says that the issuer is/],
    ['keys on another host', DISCOVERY, { body: document({ jwks_uri: 'https://elsewhere.example/keys' }) }, /only/],
    ['keys without TLS', DISCOVERY, { body: document({ jwks_uri: `http://${HOST}/keys` }) }, /only/],
    ['another algorithm', DISCOVERY, { body: document({ id_token_signing_alg_values_supported: ['ES256'] }) }, /RS256/],
    ['no response types', DISCOVERY, { body: document({ response_types_supported: undefined }) }, /response_types/],
    ['a redirect', DISCOVERY, { status: 302, headers: { location: `${ISSUER}/keys` }, body: '' }, /302/],
    ['a page', DISCOVERY, { headers: { 'content-type': 'text/html' }, body: document() }, /text\/html/],
    ['no JSON', DISCOVERY, { body: '{' }, /no JSON/],
    ['a huge document', '/keys', { body: { keys: [], more: 'x'.repeat(110_000) } }, /larger/],
    ['no keys', '/keys', { body: {} }, /no keys/],
    ['a private key', '/keys', { body: { keys: [{ ...KEY('one'), d: 'AQ' }] } }, /private part/],
  ];
  for (const [what, path, answer, says] of bad)
    it(`refuses ${what}`, async () => {
      answers.set(path, answer);
      await assert.rejects(reader().keys('one'), (error: unknown) => {
        assert.ok(error instanceof EntraError, String(error));
        assert.equal(error.code, 50166);
        assert.match(error.message, says);
        return true;
      });
    });

  it('refuses a certificate for another name, and nobody', async () => {
    await assert.rejects(reader('https://other.contoso.example').keys('one'), { code: 50166 });
    await assert.rejects(reader(ISSUER, 1).keys('one'), { code: 50166 });
    assert.deepEqual(
      recorded.map(({ status }) => status),
      [0, 0],
    );
  });
});
