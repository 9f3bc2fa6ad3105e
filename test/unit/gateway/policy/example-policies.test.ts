import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { lintPolicy } from '#gateway/policy/lint-policy.ts';
import { exampleProblems, testPolicy } from '#gateway/policy/test-policy.ts';
import { loaded, NOW } from '../../../support/sample-policy.ts';

const FOLDER = new URL('../../../../examples/gateway/', import.meta.url);
const names = readdirSync(FOLDER).filter((name) => /^policy.*\.yaml$/.test(name));

describe('policies in examples/gateway', () => {
  it('are there', () => assert.ok(names.length >= 2));

  for (const name of names)
    it(`${name} can be used, does what its examples say, and opens nothing by mistake`, () => {
      const policy = loaded(readFileSync(new URL(name, FOLDER), 'utf8'));
      assert.deepEqual(exampleProblems(policy), []);
      assert.ok(testPolicy(policy).length >= 4);
      const grave = lintPolicy(policy, NOW).filter(({ severity }) => severity === 'high');
      assert.deepEqual(
        grave.map(({ line, message }) => `${line}: ${message}`),
        [],
      );
    });
});
