import assert from 'node:assert/strict';
import { evaluate } from '#local-pipeline/expression-evaluate.ts';
import { ExpressionError, type Value } from '#local-pipeline/expression-value.ts';

const values: Record<string, Value> = {
  variables: { 'Build.Reason': 'Manual', count: '5', empty: '' },
  parameters: { list: ['a', 'B'], map: { one: '1', two: '2' }, flag: true, objects: [{ id: 'x' }, { id: 'y' }, {}] },
};

describe('expressions', () => {
  const cases: readonly (readonly [string, Value])[] = [
    ["eq(variables['build.reason'], 'MANUAL')", true],
    ['eq(variables.count, 5)', true],
    ['eq(1, true)', true],
    ["eq(true, 'x')", true],
    ["eq(1, 'x')", false],
    ["eq('', null)", true],
    ["ne('a', 'b')", true],
    ['gt(variables.count, 10)', true],
    ["gt(10, '9')", true],
    ["lt('abc', 'ABD')", true],
    ['le(2, 2)', true],
    ['and(true, 1, not(false))', true],
    ["or('', 0, null)", false],
    ['xor(true, false)', true],
    ["in('b', 'a', 'B')", true],
    ["notIn('b', 'a')", true],
    ["contains('Pipeline', 'LINE')", true],
    ["containsValue(parameters.list, 'b')", true],
    ["containsValue(parameters.map, '2')", true],
    ["startsWith('refs/heads/main', 'REFS/heads/')", true],
    ["endsWith('a.yml', '.YML')", true],
    ["format('{0}-{1}-{{x}}', 'a', 2)", 'a-2-{x}'],
    ["join(';', parameters.list)", 'a;B'],
    ["coalesce(variables.nope, '', 'x')", 'x'],
    ["lower('ABC')", 'abc'],
    ["upper('abc')", 'ABC'],
    ["replace('a.b.c', '.', '_')", 'a_b_c'],
    ["split('a,b;c', ',;')", ['a', 'b', 'c']],
    ["trim('  x ')", 'x'],
    ['length(parameters.list)', 2],
    ["length('four')", 4],
    ["iif(parameters.flag, 'yes', 'no')", 'yes'],
    ["counter('x', 7)", 7],
    ["split('a b', ' ')[1]", 'b'],
    ['parameters.objects.*.id', ['x', 'y']],
    ["'it''s'", "it's"],
    ['-1.5', -1.5],
    ['parameters.nope.deeper', null],
    ['convertToJson(parameters.map)', '{\n  "one": "1",\n  "two": "2"\n}'],
  ];
  for (const [source, expected] of cases) {
    it(source, () => {
      const value = evaluate(source, { values });
      assert.deepEqual(Array.isArray(value) ? [...value] : value, expected);
    });
  }

  it('and, or, iif and coalesce stop as early as they can', () => {
    assert.equal(evaluate("and(false, gt(1, 'x'))", { values }), false);
    assert.equal(evaluate("or(true, gt(1, 'x'))", { values }), true);
    assert.equal(evaluate("iif(true, 1, gt(1, 'x'))", { values }), 1);
  });

  const wrong: readonly (readonly [string, RegExp])[] = [
    ['nope(1)', /function 'nope' is not supported here; supported: and, coalesce/],
    ['nope.x', /'nope' is not known here; known: parameters, variables/],
    ['eq(1)', /does not take 1 arguments/],
    ['eq(1, 2', /ends too early/],
    ['eq(1, 2) 3', /unexpected '3'/],
    ["gt(1, 'x')", /cannot compare/],
    ["format('{2}', 1)", /has no value for '\{2\}'/],
    ['lower(parameters.list)', /cannot be used as text/],
    ['1 == 2', /unexpected '== 2'/],
    ["'open", /unexpected/],
  ];
  for (const [source, message] of wrong) {
    it(`${source} is refused`, () => {
      assert.throws(
        () => evaluate(source, { values }),
        (error) => error instanceof ExpressionError && message.test(error.message),
      );
    });
  }
});
