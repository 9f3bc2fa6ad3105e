import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Glob } from '#gateway/policy/glob.ts';
import { globsCover } from '#gateway/policy/globs-cover.ts';

const globs = (...patterns: string[]) => patterns.map((pattern) => new Glob(pattern));

/** Every name of some letters and dots, up to a length. */
function shortNames(length: number): string[] {
  const letters = ['a', 'b', 'z'];
  if (length === 1) return letters;
  const shorter = shortNames(length - 1);
  const longest = shorter.filter((name) => name.length >= length - 2);
  const longer = longest.flatMap((name) =>
    letters.map((letter) => (name.length === length - 1 ? `${name}${letter}` : `${name}.${letter}`)),
  );
  return [...shorter, ...longer];
}

describe('globsCover', () => {
  const rows: readonly (readonly [readonly string[], readonly string[], boolean])[] = [
    [['*'], ['Load'], true],
    [['Load'], ['*'], false],
    [['Load*'], ['Load'], true],
    [['Load*'], ['Load*', 'Publish'], false],
    [['Load*', 'Publish'], ['Load*', 'Publish'], true],
    [['*'], ['**'], false],
    [['*'], ['retail.*'], false],
    [['*', '*.**'], ['**'], true],
    [['**'], ['*', 'a.*.b'], true],
    [['retail.**'], ['retail.*'], true],
    [['retail.*'], ['retail.**'], false],
    [['a*', '*b'], ['a*b'], true],
    [['a*b'], ['a*', '*b'], false],
    [['*a*'], ['*aa*'], true],
    [['*'], ['x-y'], true],
    [[], ['x'], false],
    [[], ['x-y', '7', 'a..b', '.a', 'a.'], true],
  ];
  for (const [covering, wanted, expected] of rows)
    it(`${covering.join(' ') || 'nothing'} ${expected ? 'covers' : 'does not cover'} ${wanted.join(' ')}`, () =>
      assert.equal(globsCover(globs(...covering), globs(...wanted)), expected));

  it('says the same as every short name that is tried', () => {
    const names = shortNames(6);
    const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*', '**'), minLength: 1, maxLength: 3 });
    const list = fc.array(pattern, { minLength: 1, maxLength: 3 });
    const counts = { true: 0, false: 0 };
    fc.assert(
      fc.property(list, list, (covering, wanted) => {
        const [some, all] = [globs(...covering), globs(...wanted)];
        const counterexample = names.find(
          (name) => all.some((glob) => glob.matches(name)) && !some.some((glob) => glob.matches(name)),
        );
        assert.equal(globsCover(some, all), counterexample === undefined, counterexample);
        counts[counterexample === undefined ? 'true' : 'false'] += 1;
      }),
      { numRuns: 400 },
    );
    assert.ok(counts.true > 40 && counts.false > 40, JSON.stringify(counts));
  });

  it('gives up what nobody could write by hand', () => {
    const many = (text: string) => Array.from({ length: 64 }, (_, i) => `${'*a'.repeat(60)}${text}${i}`);
    assert.equal(globsCover(globs(...many('x')), globs(...many('y'))), undefined);
  });
});
