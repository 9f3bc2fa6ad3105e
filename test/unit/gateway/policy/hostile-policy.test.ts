import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parsePolicy } from '#gateway/policy/parse-policy.ts';
import { document, NOW, permission, policyText } from '../../../support/sample-policy.ts';

const GOOD = policyText({
  deny: [{ name: 'stop', reason: 'x', match: { all: [{ claim: 'user', equals: 'mallory' }] } }],
});
const LINES = GOOD.split('\n');
const SCRAPS = [
  '[',
  ']',
  '{',
  '}',
  ':',
  '- ',
  '&a',
  '*a',
  '!!str ',
  '? ',
  '|',
  '>',
  '"',
  "'",
  '#',
  '%',
  '---',
  '\t',
  '\u0000',
  '\u2028',
  '<<: ',
  '~',
  '.nan',
  '1.10',
  '0x1f',
  '__proto__: 1',
  'constructor',
  '\ud800',
  '**',
  '\\',
  '…',
];

/** Every refusal says where; nothing is thrown. */
function isTold(text: string): boolean {
  const { policy, problems } = parsePolicy(text, 'policy.yaml');
  if (policy !== undefined) return false;
  assert.ok(problems.length > 0);
  const lines = text.split(/\r\n|\r|\n/).length;
  for (const { file, line, column, field, message } of problems) {
    assert.equal(file, 'policy.yaml');
    assert.ok(line >= 1 && line <= lines + 1 && column >= 1, `${line}:${column}`);
    assert.ok(field !== '' && message !== '');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there.
    assert.doesNotMatch(`${field}${message}`, /[\u0000-\u001f\u007f\u2028]|##vso|##\[/);
  }
  return true;
}

describe('a policy text that was mistyped or is hostile', () => {
  it('is a policy, or told with file, line and field', () => {
    const scraps = fc.array(fc.oneof(fc.constantFrom(...SCRAPS), fc.string({ unit: 'binary', maxLength: 6 })), {
      maxLength: 40,
    });
    fc.assert(
      fc.property(scraps, (parts) => void isTold(parts.join(''))),
      { numRuns: 400 },
    );
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), (text) => void isTold(text)),
      { numRuns: 300 },
    );
  });

  it('never allows a stranger, whatever was mistyped', () => {
    const at = fc.nat(GOOD.length);
    const mutation = fc.tuple(at, fc.nat(12), fc.oneof(fc.constantFrom(...SCRAPS), fc.string({ maxLength: 4 })));
    fc.assert(
      fc.property(mutation, ([start, length, text]) => {
        const mutated = GOOD.slice(0, start) + text + GOOD.slice(start + length);
        const { policy } = parsePolicy(mutated, 'policy.yaml');
        if (policy === undefined) return void isTold(mutated);
        // A stranger has nothing in common with the policy but its issuer.
        const stranger = { ...permission().caller, claims: { project_id: 'stranger-0815' } };
        assert.equal(policy.decide(permission({ caller: stranger }), NOW).allowed, false);
      }),
      { numRuns: 400 },
    );
  });

  it('is refused when its end is lost', () => {
    // The whole document is one flow map: a lost end is a syntax error and not another policy.
    for (let end = 1; end < LINES.length - 2; end += 1)
      assert.ok(isTold(LINES.slice(0, end).join('\n')), `up to line ${end}`);
  });

  it('is refused when any field has a value of another type', () => {
    const whole = document();
    const paths = pathsOf(whole, []);
    for (const path of paths.filter(([first, , third]) => first !== 'bindings' || third !== 'examples'))
      for (const wrong of [null, { unexpected: [] }, [[]]]) {
        const text = JSON.stringify(replaced(whole, path, wrong));
        assert.ok(isTold(text), `${path.join('.')} as ${JSON.stringify(wrong)}`);
      }
  });

  it('is refused when any map has a key more', () => {
    const whole = document();
    const maps = pathsOf(whole, []).filter((path) => isMap(at(whole, path)) && !isFree(path));
    assert.ok(maps.length > 5);
    for (const path of [[], ...maps]) {
      const map = at(whole, path) as object;
      assert.ok(isTold(JSON.stringify(replaced(whole, path, { ...map, Unknown: 1 }))), path.join('.'));
    }
  });
});

type Path = readonly (string | number)[];

/** Maps whose keys are the author's. */
function isFree(path: Path): boolean {
  return path.at(-1) === 'claims';
}

function isMap(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function pathsOf(value: unknown, path: Path): Path[] {
  if (typeof value !== 'object' || value === null) return [path];
  const inner = Object.entries(value).flatMap(([key, one]) =>
    pathsOf(one, [...path, Array.isArray(value) ? Number(key) : key]),
  );
  return path.length === 0 ? inner : [path, ...inner];
}

function at(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((here, step) => (here as Record<string | number, unknown>)[step], value);
}

function replaced(value: unknown, [step, ...rest]: Path, by: unknown): unknown {
  if (step === undefined) return by;
  if (Array.isArray(value)) return value.map((one, i) => (i === step ? replaced(one, rest, by) : one));
  const map = value as Record<string, unknown>;
  return { ...map, [step]: replaced(map[step], rest, by) };
}
