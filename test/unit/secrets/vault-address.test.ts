import assert from 'node:assert/strict';
import fc from 'fast-check';
import { vaultAddress } from '#secrets/vault-address.ts';
import { failure } from '../../support/plumbline-failure.ts';

const publicCloud = {
  name: 'AzureCloud',
  authority: 'https://login.microsoftonline.com',
  vaultSuffixes: ['vault.azure.net'],
};
const china = {
  name: 'AzureChinaCloud',
  authority: 'https://login.chinacloudapi.cn',
  vaultSuffixes: ['vault.azure.cn'],
};

describe('vaultAddress', () => {
  it("makes an address from a name with the cloud's suffix", () => {
    assert.equal(vaultAddress(' My-Vault1 ', { cloud: publicCloud }), 'https://my-vault1.vault.azure.net');
    assert.equal(vaultAddress('kv1', { cloud: china, dnsSuffix: '.vault.azure.cn' }), 'https://kv1.vault.azure.cn');
  });

  it('takes a full address of the same cloud', () => {
    assert.equal(
      vaultAddress('https://My-Vault.vault.azure.net/', { cloud: publicCloud }),
      'https://my-vault.vault.azure.net',
    );
  });

  it('sends no token elsewhere', () => {
    const elsewhere = [
      'https://evil.example/',
      'https://vault.azure.net/',
      'https://a.b.vault.azure.net/',
      'https://kv1.vault.azure.net.evil.example/',
      'https://kv1.vault.azure.cn/',
      'http://kv1.vault.azure.net/',
      'https://kv1.vault.azure.net:8443/',
      'https://u:p@kv1.vault.azure.net/',
      'https://kv1.vault.azure.net/secrets/a',
    ];
    for (const vault of elsewhere)
      assert.throws(
        () => vaultAddress(vault, { cloud: publicCloud }),
        failure('ERR_IDENTITY_HOST_NOT_ALLOWED', /no key vault/),
      );
    assert.throws(
      () => vaultAddress('kv1', { cloud: publicCloud, dnsSuffix: 'evil.example' }),
      failure('ERR_IDENTITY_HOST_NOT_ALLOWED', /'evil\.example'/),
    );
  });

  it('refuses what is neither', () => {
    for (const vault of [
      'a',
      '1vault',
      'two--hyphens',
      'ends-',
      'x'.repeat(25),
      'my vault',
      'ftp://kv1.vault.azure.net',
    ])
      assert.throws(
        () => vaultAddress(vault, { cloud: publicCloud }),
        failure('ERR_INPUT_INVALID', /neither the name nor/),
      );
  });

  it('gives an address in the cloud or refuses, for any text', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.webUrl(),
          fc.domain().map((host) => `https://${host}.vault.azure.net`),
        ),
        (text) => {
          try {
            const { hostname, protocol } = new URL(vaultAddress(text, { cloud: publicCloud }));
            assert.match(hostname, /^[a-z][a-z0-9-]{2,23}\.vault\.azure\.net$/);
            assert.equal(protocol, 'https:');
          } catch (thrown) {
            assert.match(
              (thrown as { code?: string }).code ?? String(thrown),
              /^ERR_(INPUT_INVALID|IDENTITY_HOST_NOT_ALLOWED)$/,
            );
          }
        },
      ),
    );
  });
});
