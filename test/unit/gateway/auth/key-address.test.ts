import assert from 'node:assert/strict';
import { discoveryAddress, keyAddressProblem, publishedAddressProblem } from '#gateway/auth/key-address.ts';
import { testIssuer } from '../../../support/test-issuers.ts';

const { settings } = testIssuer('gitlab');

describe('addresses of keys', () => {
  it('the discovery document lies under the issuer, with one slash', () => {
    const document = 'https://sts.windows.net/t/.well-known/openid-configuration';
    assert.equal(discoveryAddress('https://sts.windows.net/t/'), document);
    assert.equal(discoveryAddress('https://sts.windows.net/t'), document);
  });

  const FOLLOWED = ['https://keys.example.com/jwks', 'https://gitlab.example.com:8443/oauth/discovery/keys?v=1'];
  const REFUSED: readonly unknown[] = [
    undefined,
    null,
    1,
    ['https://keys.example.com/jwks'],
    '',
    '/jwks',
    '//keys.example.com/jwks',
    'http://keys.example.com/jwks',
    'file:///etc/passwd',
    'data:application/json,{"keys":[]}',
    'ftp://keys.example.com/jwks',
    'https://user@keys.example.com/jwks',
    'https://user:pass@keys.example.com/jwks',
    'https://keys.example.com/jwks#a',
    'http://localhost/jwks',
    'https://localhost/jwks',
    'https://127.0.0.1/jwks',
    'https://127.1/jwks',
    'https://2130706433/jwks',
    'https://0x7f000001/jwks',
    'https://0177.0.0.1/jwks',
    'https://0.0.0.0/jwks',
    'https://169.254.169.254/jwks',
    'https://10.0.0.1/jwks',
    'https://[::1]/jwks',
    'https://[::ffff:127.0.0.1]/jwks',
    'https://[fd00:ec2::254]/jwks',
    'http://127.0.0.1:8080/jwks',
  ];
  for (const address of FOLLOWED)
    it(`follows ${address}`, () => assert.equal(publishedAddressProblem(address, settings), undefined));
  for (const address of REFUSED)
    it(`does not follow ${String(address)}`, () => {
      assert.equal(typeof publishedAddressProblem(address, settings), 'string');
    });

  it('an issuer on this machine may have its keys on this machine', () => {
    const local = { ...settings, issuer: 'http://127.0.0.1:8080' };
    assert.equal(publishedAddressProblem('http://127.0.0.1:8080/keys', local), undefined);
    assert.equal(typeof publishedAddressProblem('http://127.0.0.2:8080/keys', local), 'string');
  });

  it('the policy may name any address over https, and this machine over http', () => {
    for (const address of ['https://10.0.0.1/keys', 'http://localhost:8001/openid/v1/jwks', 'http://[::1]/keys'])
      assert.equal(keyAddressProblem(address), undefined, address);
    for (const address of ['http://10.0.0.1/keys', 'http://localhost.example.com/keys', 'keys', 'https://'])
      assert.equal(typeof keyAddressProblem(address), 'string', address);
  });
});
