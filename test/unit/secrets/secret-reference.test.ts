import assert from 'node:assert/strict';
import { parseSecretReference } from '#secrets/secret-reference.ts';
import { failure } from '../../support/plumbline-failure.ts';

describe('parseSecretReference', () => {
  it('reads a name and a name with a version', () => {
    assert.deepEqual(parseSecretReference(' api-key '), { name: 'api-key' });
    const version = 'A'.repeat(32);
    assert.deepEqual(parseSecretReference(`api-key/${version}`), { name: 'api-key', version: version.toLowerCase() });
  });

  it('refuses others without repeating them: they may be a secret', () => {
    for (const text of ['', 'under_score', 'a/b', 'a/', `a/${'0'.repeat(31)}`, 'x'.repeat(128), 'pa$$word']) {
      assert.throws(
        () => parseSecretReference(text),
        (thrown) => {
          failure('ERR_INPUT_INVALID', /is no secret name/)(thrown);
          return text === '' || !String(thrown).includes(text);
        },
      );
    }
  });
});
