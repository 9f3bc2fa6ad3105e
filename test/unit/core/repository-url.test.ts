import assert from 'node:assert/strict';
import fc from 'fast-check';
import { cleanRepositoryUrl } from '#core/repository-url.ts';

describe('cleanRepositoryUrl', () => {
  const cases: readonly [string | undefined, string | undefined][] = [
    ['https://fabrikam@dev.azure.com/fabrikam/Shop/_git/shop', 'https://dev.azure.com/fabrikam/Shop/_git/shop'],
    ['https://user:token@github.com/fabrikam/shop.git', 'https://github.com/fabrikam/shop.git'],
    ['https://github.com/fabrikam/shop/?access_token=x#y', 'https://github.com/fabrikam/shop'],
    ['git@github.com:fabrikam/shop.git', 'ssh://github.com/fabrikam/shop.git'],
    ['git@ssh.dev.azure.com:v3/fabrikam/Shop/shop', 'ssh://ssh.dev.azure.com/v3/fabrikam/Shop/shop'],
    ['ssh://git@git.fabrikam.example:2222/shop.git', 'ssh://git.fabrikam.example:2222/shop.git'],
    ['C:\\repos\\shop', undefined],
    ['/srv/git/shop', undefined],
    ['', undefined],
    [undefined, undefined],
  ];
  for (const [given, expected] of cases) {
    it(`${given} → ${expected}`, () => assert.equal(cleanRepositoryUrl(given), expected));
  }

  it('lets no user info through, whatever it looks like', () => {
    const part = fc.stringMatching(/^[\w.~!$&'()*+,;=%-]{1,20}$/);
    fc.assert(
      fc.property(part, part, (user, password) => {
        const secret = `S3CRET${password}`;
        const cleaned = cleanRepositoryUrl(`https://${user}:${secret}@git.fabrikam.example/shop`);
        assert.ok(cleaned === undefined || !cleaned.includes('S3CRET'), cleaned);
      }),
    );
  });
});
