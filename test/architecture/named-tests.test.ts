import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { ROOT } from '../../scripts/repository.ts';

const PAGES = ['docs/threat-model.md', 'docs/test-plan.md'];

const NAME = /`(test\/[\w./-]*\/)?([\w.-]+\.test\.ts|test_\w+\.py)`|`(test\/[\w/-]+)`/g;

/** Paths of tests in backquotes; in `test/gateway/launch.test.ts`, `launch-recovery.test.ts` the second is of the same folder. */
function namedTests(text: string): readonly string[] {
  let folder = '';
  return [...text.matchAll(NAME)].map(([, path, file = '', whole]) => {
    folder = path ?? folder;
    return whole ?? folder + file;
  });
}

describe('pages that say which test holds what', () => {
  for (const page of PAGES)
    it(`${page} names only tests that are there`, () => {
      const named = namedTests(readFileSync(resolve(ROOT, page), 'utf8'));
      assert.ok(named.length > 20, named.join());
      assert.deepEqual(
        named.filter((path) => !existsSync(resolve(ROOT, path))),
        [],
      );
    });

  it('every claim of the threat model names its test', () => {
    const text = readFileSync(resolve(ROOT, 'docs/threat-model.md'), 'utf8');
    const claims = text.split('\n').filter((line) => /^\| \d+ \|/.test(line));
    assert.ok(claims.length > 20);
    assert.deepEqual(
      claims.map((line) => Number(line.split('|')[1])),
      claims.map((_, i) => i + 1),
      'claims are counted',
    );
    for (const claim of claims) assert.match(claim, /`test\//, claim);
  });

  it('the reading finds a test that is not there', () => {
    assert.deepEqual(namedTests('| a | `test/gateway/gone.test.ts`, `other.test.ts`; `npm test` |'), [
      'test/gateway/gone.test.ts',
      'test/gateway/other.test.ts',
    ]);
  });
});
