import assert from 'node:assert/strict';
import type { JWTPayload } from 'jose';
import type { Incoming } from '#local-azure/exchange.ts';
import { KeyVault } from '#local-azure/key-vault.ts';
import { resolveWorld } from '#local-azure/resolve-world.ts';
import { createSigningKey, type SigningKey } from '#local-azure/signing-key.ts';
import type { Identity, Vault } from '#local-azure/world.ts';
import { sampleDeclaration, TENANT } from '../../support/local-azure.ts';

const NOW = Date.parse('2026-11-21T10:00:00Z');
const SECONDS = NOW / 1_000;
const world = resolveWorld(sampleDeclaration());
const [vault] = world.vaults as [Vault];
const [workflows] = world.identities as [Identity];

describe('a vault', () => {
  let key: SigningKey;
  let other: SigningKey;
  before(async () => {
    [key, other] = await Promise.all([createSigningKey(), createSigningKey()]);
  });
  const goodClaims: JWTPayload = {
    iss: `https://sts.windows.net/${TENANT}/`,
    aud: 'https://vault.azure.net',
    nbf: SECONDS,
    exp: SECONDS + 60,
    oid: workflows.objectId,
    appid: workflows.clientId,
  };
  const ask = async (path: string, authorization: string | undefined, method = 'GET') => {
    const service = new KeyVault({ vault, key, clock: { now: () => NOW, sleep: async () => {} } });
    const request: Incoming = {
      host: vault.host,
      method,
      url: new URL(path, `https://${vault.host}`),
      headers: authorization === undefined ? {} : { authorization },
      body: Buffer.alloc(0),
    };
    const { status, headers, body } = await service.handle(request);
    const { error } = Object(body) as { error?: { code: string; message: string } };
    return { status, headers: headers ?? {}, error, body };
  };
  const read = async (claims: JWTPayload, signer = key) =>
    ask('/secrets/plain?api-version=7.6', `Bearer ${await signer.sign(claims)}`);

  it('asks for a token of its tenant and resource', async () => {
    const { status, headers, error } = await ask('/secrets/plain?api-version=7.6', undefined);
    assert.deepEqual([status, error?.code], [401, 'Unauthorized']);
    assert.match(error?.message ?? '', /^AKV10000/);
    assert.equal(
      headers['www-authenticate'],
      `Bearer authorization="https://login.microsoftonline.com/${TENANT}", resource="https://vault.azure.net"`,
    );
  });

  it('refuses every token that is not for it, each for its reason and with the challenge', async () => {
    const { exp: _exp, ...endless } = goodClaims;
    const cases: [string, JWTPayload, SigningKey, RegExp][] = [
      ['another audience', { ...goodClaims, aud: 'https://graph.microsoft.com' }, key, /^AKV10022/],
      ['another vault’s address', { ...goodClaims, aud: `https://${vault.host}` }, key, /^AKV10022/],
      [
        'another tenant',
        { ...goodClaims, iss: 'https://sts.windows.net/22222222-2222-4333-8444-555555555555/' },
        key,
        /^AKV10032/,
      ],
      ['version 2', { ...goodClaims, iss: `https://login.microsoftonline.com/${TENANT}/v2.0` }, key, /^AKV10032/],
      ['expired', { ...goodClaims, exp: SECONDS }, key, /TokenExpired/],
      ['not yet valid', { ...goodClaims, nbf: SECONDS + 1 }, key, /TokenExpired/],
      ['without an expiry', endless, key, /InvalidToken/],
      ['of another issuer’s key', goodClaims, other, /^AKV10046/],
    ];
    for (const [name, claims, signer, message] of cases) {
      const { status, headers, error } = await read(claims, signer);
      assert.equal(status, 401, name);
      assert.match(error?.message ?? '', message, name);
      assert.ok(headers['www-authenticate'], name);
    }
  });

  it('refuses a token that was changed', async () => {
    const [header, , signature] = (await key.sign(goodClaims)).split('.');
    const payload = Buffer.from(JSON.stringify({ ...goodClaims, oid: 'somebody' })).toString('base64url');
    assert.equal((await ask('/secrets/plain?api-version=7.6', `Bearer ${header}.${payload}.${signature}`)).status, 401);
    assert.equal((await ask('/secrets/plain?api-version=7.6', 'Bearer nonsense')).status, 401);
  });

  it('takes each form of its resource as an audience', async () => {
    for (const aud of ['https://vault.azure.net', 'https://vault.azure.net/', 'cfa8b339-82a2-471a-a3c9-0fc0be7a4093']) {
      assert.equal((await read({ ...goodClaims, aud })).status, 200, aud);
    }
  });

  it('knows its versions, however they are written', async () => {
    const authorization = `Bearer ${await key.sign(goodClaims)}`;
    const statuses: Record<string, number> = {};
    for (const query of [
      '',
      '?api-version=1.0',
      '?api-version=7.7',
      '?api-version=7.6',
      '?api-version=2016-10-01',
      '?api%2Dversion=2026-04-01',
      '?api-version=2026-04-01-preview.1',
    ]) {
      statuses[query] = (await ask(`/secrets/plain/${query}`, authorization)).status;
    }
    assert.deepEqual(statuses, {
      '': 400,
      '?api-version=1.0': 400,
      '?api-version=7.7': 400,
      '?api-version=7.6': 200,
      '?api-version=2016-10-01': 200,
      '?api%2Dversion=2026-04-01': 200,
      '?api-version=2026-04-01-preview.1': 200,
    });
  });

  it('asks who it is before it says whether something is there', async () => {
    for (const path of ['/secrets/nope?api-version=7.6', '/nothing', '/secrets/bad_name'])
      assert.equal((await ask(path, undefined)).status, 401);
  });

  it('keeps a deleted secret among the deleted ones', async () => {
    const authorization = `Bearer ${await key.sign(goodClaims)}`;
    assert.equal((await ask('/secrets/gone?api-version=7.6', authorization)).status, 404);
    const { status, body } = await ask('/deletedsecrets/gone?api-version=7.6', authorization);
    assert.deepEqual([status, Object.hasOwn(body as object, 'value')], [200, false]);
  });
});
