import assert from 'node:assert/strict';
import { parseSecretReference } from '#secrets/secret-reference.ts';

const version = '0123456789abcdef0123456789ABCDEF';

describe('parseSecretReference', () => {
  it('reads a name and, behind a slash, a version', () => {
    assert.deepEqual(parseSecretReference(' api-key '), { name: 'api-key' });
    assert.deepEqual(parseSecretReference(`api-key/${version}`), { name: 'api-key', version: version.toLowerCase() });
  });

  for (const text of [
    '',
    'bad_name',
    'a/b',
    `a/${version}0`,
    'a b',
    `${'x'.repeat(128)}`,
    '../secrets/x',
    'a?api-version=1',
  ]) {
    it(`takes ${JSON.stringify(text.slice(0, 20))} for no reference`, () =>
      assert.equal(parseSecretReference(text), undefined));
  }
});
