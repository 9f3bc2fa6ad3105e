import assert from 'node:assert/strict';
import { Secret } from '#core/secret.ts';
import { proxyFor } from '#http/proxy-route.ts';

const target = new URL('https://myvault.vault.azure.net/secrets/a');
const agent = (bypass: string[] = []) => ({
  skipVerification: false,
  proxy: { url: 'http://proxy.corp:3128/', username: 'us er', password: new Secret('p@:ss'), bypass },
});
const none = { skipVerification: false };

describe('proxyFor', () => {
  it("takes the agent's proxy with its user, before the environment's", () => {
    const proxy = proxyFor(target, agent(), { HTTPS_PROXY: 'http://other:1' });
    assert.equal(proxy?.host, 'proxy.corp:3128');
    assert.equal(decodeURIComponent(`${proxy?.username} ${proxy?.password}`), 'us er p@:ss');
  });

  it("goes direct where the agent's bypass list says so, by address or host", () => {
    assert.equal(proxyFor(target, agent(['\\.vault\\.azure\\.net']), {}), undefined);
    assert.equal(proxyFor(target, agent(['^MYVAULT\\.']), {}), undefined);
    assert.ok(proxyFor(target, agent(['example\\.com', '', '(']), {}));
  });

  it('does not read NO_PROXY when the agent has a proxy of its own', () => {
    assert.ok(proxyFor(target, agent(), { NO_PROXY: '*' }));
  });

  it('falls back to HTTPS_PROXY and HTTP_PROXY by the scheme of the target', () => {
    const environment = { HTTPS_PROXY: 'http://secure:1', http_proxy: 'plain:2' };
    assert.equal(proxyFor(target, none, environment)?.host, 'secure:1');
    assert.equal(proxyFor(new URL('http://example.com'), none, environment)?.host, 'plain:2');
    assert.equal(proxyFor(target, none, {}), undefined);
  });

  it('reads NO_PROXY as curl does', () => {
    const to = (noProxy: string) => proxyFor(target, none, { HTTPS_PROXY: 'http://p:1', NO_PROXY: noProxy });
    for (const direct of ['*', 'vault.azure.net', '.vault.azure.net', '*.azure.net', 'a, myvault.vault.azure.net:443'])
      assert.equal(to(direct), undefined, direct);
    for (const through of ['', 'other.net', 'ault.azure.net', 'vault.azure.net:8443']) assert.ok(to(through), through);
  });

  it('never sends loopback or the metadata service through a proxy', () => {
    for (const address of [
      'http://localhost:1/',
      'http://127.0.0.1/',
      'http://[::1]:2/',
      'http://169.254.169.254/metadata',
    ])
      assert.equal(proxyFor(new URL(address), agent(), { HTTP_PROXY: 'http://p:1' }), undefined, address);
    assert.ok(proxyFor(new URL('https://localhost.example.com/'), agent(), {}));
  });
});
