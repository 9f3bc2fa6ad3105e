import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Glob } from '#gateway/policy/glob.ts';

const matches = (pattern: string, text: string) => new Glob(pattern).matches(text);

/** What the documentation says, tried in every way there is. */
function obvious(pattern: string, text: string): boolean {
  if (pattern === '') return text === '';
  const stars = /^\*+/.exec(pattern)?.[0].length ?? 0;
  if (stars === 0) return pattern[0] === text[0] && obvious(pattern.slice(1), text.slice(1));
  const ends = Array.from({ length: text.length + 1 }, (_, i) => i);
  const covers = (end: number) => stars > 1 || !/[./]/.test(text.slice(0, end));
  return ends.some((end) => covers(end) && obvious(pattern.slice(stars), text.slice(end)));
}

describe('Glob', () => {
  const rows: readonly (readonly [string, string, boolean])[] = [
    ['retail.daily', 'retail.daily', true],
    ['retail.daily', 'retail.daily.x', false],
    ['retail.daily', 'Retail.daily', false],
    ['retail.*', 'retail.daily', true],
    ['retail.*', 'retail.', true],
    ['retail.*', 'retail.daily.late', false],
    ['retail.**', 'retail.daily.late', true],
    ['retail*', 'retail', true],
    ['retail*', 'retail.daily', false],
    ['refs/heads/release/*', 'refs/heads/release/1', true],
    ['refs/heads/release/*', 'refs/heads/release/1/x', false],
    ['refs/heads/release/*', 'refs/heads/release/1.2', false],
    ['refs/heads/**', 'refs/heads/release/1.2', true],
    ['*', '', true],
    ['*', 'a.b', false],
    ['**', 'a.b/c\n', true],
    ['***', 'a.b', true],
    ['a*b*c', 'a1b2c', true],
    ['a**/x', 'a.b/c/x', true],
    ['*.**/*', 'a.b.c/d', true],
    ['*.**/*', 'a.b.c/d.e', false],
    ['a.c', 'abc', false],
    ['a?c', 'abc', false],
    ['[ab]', 'a', false],
    ['a+', 'aa', false],
    ['(a|b)', 'a', false],
    ['*', '*', true],
    ['a*', 'a*', true],
  ];
  for (const [pattern, text, expected] of rows)
    it(`${expected ? 'lets' : 'does not let'} ${JSON.stringify(pattern)} stand for ${JSON.stringify(text)}`, () => {
      assert.equal(matches(pattern, text), expected);
    });

  it('matches exactly what trying every way matches', () => {
    const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '.', '/', '*', '**'), maxLength: 7 });
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '.', '/', '*', '😀'), maxLength: 9 });
    fc.assert(
      fc.property(pattern, text, (p, t) => assert.equal(matches(p, t), obvious(p, t))),
      { numRuns: 3_000 },
    );
  });

  // A matcher that goes back and tries again would not end in this century.
  it('comes to an end when a pattern has many wildcards that almost match', () => {
    assert.equal(matches(`${'*a'.repeat(127)}b`, 'a'.repeat(16_384)), false);
    assert.equal(matches(`${'**a'.repeat(85)}b`, 'a'.repeat(16_384)), false);
  });
});
