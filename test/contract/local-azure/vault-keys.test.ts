import assert from 'node:assert/strict';
import { createHash, createPublicKey, verify } from 'node:crypto';
import { CryptographyClient, type KeyVaultKey } from '@azure/keyvault-keys';
import { azureHttpClient } from '#http/azure-http-client.ts';
import { vaultCredential } from '#secrets/vault-credential.ts';
import { VAULT } from '../../support/local-azure.ts';
import { type VaultWithKeys, vaultWithKeys } from '../../support/vault-with-keys.ts';

const TEXT = Buffer.from('what is signed');
const DIGEST = createHash('sha256').update(TEXT).digest();

describe("keys of the local Key Vault, used by Microsoft's own client", () => {
  let world: VaultWithKeys;
  before(async () => {
    world = await vaultWithKeys();
  });
  after(() => world.close());

  const signer = (key: KeyVaultKey | string, connection = 'azure') =>
    new CryptographyClient(key, vaultCredential(world.agent.identity(connection), VAULT), {
      httpClient: azureHttpClient(world.agent.http, { maxAttempts: 1 }),
      retryOptions: { maxRetries: 0 },
    });
  const versionsOf = async (name: string) => {
    const found = [];
    for await (const properties of world.user.listPropertiesOfKeyVersions(name)) found.push(properties);
    return found;
  };
  /** Without the client, which refuses much of it itself. */
  const signedRaw = async (id = '', body = JSON.stringify({ alg: 'RS256', value: DIGEST.toString('base64url') })) => {
    const { token } = await world.agent.identity('azure').token('https://vault.azure.net/.default');
    const answer = await world.agent.http.request({
      method: 'POST',
      url: `${id}/sign?api-version=7.6`,
      headers: { authorization: `Bearer ${token.reveal()}`, 'content-type': 'application/json' },
      body,
    });
    const { error } = JSON.parse(answer.text()) as { error?: { code: string; innererror?: { code: string } } };
    return [answer.status, error?.code, error?.innererror?.code];
  };
  const status = (promise: Promise<unknown>) =>
    promise.then(
      () => 200,
      (error: { statusCode?: number; message: string }) => error.statusCode ?? error.message,
    );
  const publicKey = ({ key }: KeyVaultKey) =>
    createPublicKey({
      key: {
        kty: 'RSA',
        n: Buffer.from(key?.n ?? []).toString('base64url'),
        e: Buffer.from(key?.e ?? []).toString('base64url'),
      },
      format: 'jwk',
    });

  it('are read with their public part and nothing else', async () => {
    const key = await world.user.getKey('issuer');
    assert.deepEqual([key.keyType, key.name, key.properties.enabled], ['RSA', 'issuer', true]);
    assert.equal(key.properties.createdOn?.toISOString(), '2026-01-01T00:00:00.000Z');
    const secret = Object.entries(key.key ?? {}).filter(([name]) => /^(d|p|q|dp|dq|qi|k|t)$/.test(name));
    assert.ok(secret.every(([, value]) => value === undefined));
    assert.equal(key.key?.n?.length, 256);
    assert.equal((await world.user.getKey('WIDE')).key?.n?.length, 384);
    assert.equal((await world.user.getKey('curve')).keyType, 'EC');
    assert.equal(await status(world.user.getKey('absent')), 404);
  });

  it('are listed, more than one page of them', async () => {
    const made = Array.from({ length: 27 }, () => world.officer.createEcKey('many'));
    await Promise.all(made);
    const versions = await versionsOf('many');
    assert.equal(new Set(versions.map(({ version }) => version)).size, 27);
    const names = [];
    for await (const { name } of world.user.listPropertiesOfKeys()) names.push(name);
    assert.deepEqual(names.sort(), ['cipher', 'curve', 'dated', 'issuer', 'many', 'other', 'wide']);
  });

  for (const name of ['issuer', 'wide'])
    it(`sign a digest in the vault (${name})`, async () => {
      const key = await world.user.getKey(name);
      for (const form of [key, key.id ?? '']) {
        const { result, keyID } = await signer(form).sign('RS256', DIGEST);
        assert.equal(keyID, key.id);
        assert.ok(verify('sha256', TEXT, publicKey(key), result));
      }
    });

  it('make no signature that the key is not for', async () => {
    const issuer = await world.user.getKey('issuer');
    assert.equal(await status(signer(issuer).sign('RS512', createHash('sha512').update(TEXT).digest())), 400);
    assert.equal(await status(signer(issuer).sign('RS256', DIGEST.subarray(1))), 400);
    const [curve, cipher] = [await world.user.getKey('curve'), await world.user.getKey('cipher')];
    assert.deepEqual(await signedRaw(curve.id), [400, 'BadParameter', undefined]);
    assert.deepEqual(await signedRaw(cipher.id), [403, 'Forbidden', 'KeyOperationForbidden']);
    assert.deepEqual(await signedRaw(issuer.id, 'no json'), [400, 'BadParameter', undefined]);
    assert.deepEqual(await signedRaw(`${VAULT}/keys/absent/${'0'.repeat(32)}`), [404, 'KeyNotFound', undefined]);
  });

  it('sign neither outside of their dates nor while they are disabled', async () => {
    const versions = await versionsOf('dated');
    assert.equal(versions.length, 3);
    const refused = await Promise.all(versions.map(({ id }) => signedRaw(id)));
    assert.deepEqual(refused.map((words) => words.join(' ')).sort(), [
      '403 Forbidden KeyDisabled',
      '403 Forbidden KeyExpired',
      '403 Forbidden KeyNotYetValid',
    ]);
  });

  it('are used, made and changed by those only who may', async () => {
    const { id = '', properties } = await world.user.getKey('issuer');
    assert.equal(await status(signer(id, 'azure-old').sign('RS256', DIGEST)), 200);
    assert.equal(await status(world.user.createRsaKey('mine')), 403);
    assert.equal(await status(world.user.rotateKey('issuer')), 403);
    assert.equal(await status(world.user.updateKeyProperties('issuer', properties.version ?? '', {})), 200);
    assert.equal(await status(world.officer.rotateKey('other')), 200);
    assert.equal((await versionsOf('other')).length, 2);
  });

  it('get a new version, which can be disabled', async () => {
    const before = await world.officer.createRsaKey('turned', { keySize: 2048 });
    const after = await world.officer.rotateKey('turned');
    assert.notEqual(after.properties.version, before.properties.version);
    assert.deepEqual((await world.user.getKey('turned')).id, after.id);
    await world.officer.updateKeyProperties('turned', after.properties.version ?? '', { enabled: false });
    assert.equal(await status(signer(after.id ?? '').sign('RS256', DIGEST)), 403);
    assert.equal(await status(signer(before.id ?? '').sign('RS256', DIGEST)), 200);
  });
});
