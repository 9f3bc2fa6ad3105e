import assert from 'node:assert/strict';
import type { JsonValue } from '#core/json.ts';
import { claimReader, isClaimPath } from '#gateway/policy/claim-path.ts';
import { claimMatches, compileCondition, parameterMatches } from '#gateway/policy/condition.ts';
import type { Condition } from '#gateway/policy/role.ts';

describe('a condition on a claim', () => {
  const rows: readonly (readonly [Condition, JsonValue | undefined, boolean])[] = [
    [{ equals: '7' }, '7', true],
    [{ equals: '7' }, 7, true],
    [{ equals: 7 }, '7', true],
    [{ equals: '7' }, '07', false],
    [{ equals: 'true' }, true, true],
    [{ equals: true }, 'true', true],
    [{ equals: true }, 'True', false],
    [{ equals: true }, 1, false],
    [{ equals: '' }, '', true],
    [{ equals: '' }, null, false],
    [{ equals: '' }, undefined, false],
    [{ equals: 'null' }, null, false],
    [{ equals: 'undefined' }, undefined, false],
    [{ equals: 'a' }, ['a', 'b'], true],
    [{ equals: 'a' }, [['a']], false],
    [{ equals: 'a,b' }, ['a', 'b'], false],
    [{ equals: ['a', 'b'] }, ['a', 'b'], true],
    [{ equals: ['a', 'b'] }, ['b', 'a'], false],
    [{ equals: ['a'] }, 'a', false],
    [{ equals: [] }, [], true],
    [{ equals: [] }, ['a'], false],
    [{ equals: '[object Object]' }, {}, false],
    [{ oneOf: ['a', 'b'] }, 'b', true],
    [{ oneOf: ['a', 'b'] }, 'c', false],
    [{ oneOf: ['a', 'b'] }, ['c', 'b'], true],
    [{ oneOf: ['a', 'b'] }, [], false],
    [{ oneOf: ['a', 'b'] }, undefined, false],
    [{ glob: 'refs/heads/*' }, 'refs/heads/main', true],
    [{ glob: '**' }, undefined, false],
    [{ glob: '**' }, null, false],
    [{ glob: '**' }, {}, false],
    [{ glob: '**' }, '', true],
    [{ glob: '4*' }, 42, true],
    [{ glob: 'a*' }, ['b', 'ab'], true],
    [{ glob: 'a*' }, ['b'], false],
    [{ exists: true }, '', true],
    [{ exists: true }, false, true],
    [{ exists: true }, [], true],
    [{ exists: true }, null, false],
    [{ exists: true }, undefined, false],
    [{ exists: false }, undefined, true],
    [{ exists: false }, null, true],
    [{ exists: false }, '', false],
  ];
  for (const [condition, claim, expected] of rows)
    it(`${JSON.stringify(condition)} is ${expected ? '' : 'not '}met by ${JSON.stringify(claim) ?? 'nothing'}`, () => {
      assert.equal(claimMatches(compileCondition(condition), claim), expected);
    });
});

describe('a condition on a parameter', () => {
  const rows: readonly (readonly [Condition, JsonValue | undefined, boolean])[] = [
    [{ equals: 'prod' }, 'prod', true],
    [{ equals: 'prod' }, ['prod', 'test'], false],
    [{ oneOf: [1, 2] }, '2', true],
    [{ oneOf: [1, 2] }, [2], false],
    [{ glob: '2026-*' }, '2026-11-20', true],
    [{ glob: '**' }, ['a'], false],
    [{ glob: '**' }, 'a'.repeat(16_384), true],
    [{ glob: '**' }, 'a'.repeat(16_385), false],
    [{ exists: true }, null, true],
    [{ exists: true }, undefined, false],
    [{ exists: false }, undefined, true],
    [{ exists: false }, null, false],
    [{ equals: '' }, null, false],
  ];
  for (const [condition, value, expected] of rows)
    it(`${JSON.stringify(condition)} is ${expected ? '' : 'not '}met by ${JSON.stringify(value)?.slice(0, 20) ?? 'nothing'}`, () => {
      assert.equal(parameterMatches(compileCondition(condition), value), expected);
    });
});

describe('claimReader', () => {
  const claims: Record<string, JsonValue> = {
    project_id: '7',
    'a/b': 'name',
    'https://example.com/team': 'sales',
    'kubernetes.io': { namespace: 'etl', serviceaccount: { name: 'runner' } },
    groups: ['one', 'two'],
    'm~n': { '': 'empty' },
    'x~1': 'tilde and one',
    'x/': 'slash',
  };
  const rows: readonly (readonly [string, JsonValue | undefined])[] = [
    ['project_id', '7'],
    ['/project_id', '7'],
    ['https://example.com/team', 'sales'],
    ['a/b', 'name'],
    ['/a~1b', 'name'],
    ['/a/b', undefined],
    ['/kubernetes.io/namespace', 'etl'],
    ['/kubernetes.io/serviceaccount/name', 'runner'],
    ['kubernetes.io.namespace', undefined],
    ['/groups/1', 'two'],
    ['/groups/01', undefined],
    ['/groups/-1', undefined],
    ['/groups/length', undefined],
    ['/project_id/0', undefined],
    ['/project_id/length', undefined],
    ['/m~0n/', 'empty'],
    ['/x~01', 'tilde and one'],
    ['__proto__', undefined],
    ['constructor', undefined],
    ['/constructor/name', undefined],
    ['/kubernetes.io/__proto__', undefined],
    ['toString', undefined],
  ];
  for (const [path, expected] of rows)
    it(`finds ${JSON.stringify(expected) ?? 'nothing'} at ${path}`, () => {
      assert.deepEqual(claimReader(path)(claims), expected);
    });

  it('knows a pointer that is none', () => {
    assert.deepEqual(['/a~', '/a~2', '/a~0~1', 'a~', '/'].map(isClaimPath), [false, false, true, true, true]);
  });
});
