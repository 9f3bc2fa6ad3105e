import assert from 'node:assert/strict';
import fc from 'fast-check';
import { MappingSyntaxError, parseMapping } from '#steps/mapping.ts';

const parsed = async (text: string) => Object.fromEntries(await parseMapping(text));

describe('parseMapping', () => {
  it('reads key=value lines, comments and blank lines aside', async () => {
    assert.deepEqual(await parsed('# which day\nday = 2026-11-20\n\nname=a=b: c\r\nempty=\n'), {
      day: '2026-11-20',
      name: 'a=b: c',
      empty: '',
    });
  });

  it('keeps a plain YAML scalar as it was written, because Luigi parses parameters itself', async () => {
    const text =
      'count: 007\nratio: 1.10\nflag: yes\nday: 2026-11-20\nbig: 12345678901234567890\nnothing:\ntilde: ~\ntext: "1"';
    assert.deepEqual(await parsed(text), {
      count: '007',
      ratio: '1.10',
      flag: 'yes',
      day: '2026-11-20',
      big: '12345678901234567890',
      nothing: '',
      tilde: '',
      text: '1',
    });
  });

  it('gives lists and maps their YAML types', async () => {
    assert.deepEqual(await parsed('regions: [north, 2, true, null]\nlimits:\n  low: 1.5\n  name: "2"'), {
      regions: ['north', 2, true, null],
      limits: { low: 1.5, name: '2' },
    });
  });

  it('reads JSON', async () => {
    assert.deepEqual(await parsed('{"n": 10, "s": "x", "deep": {"a": [1]}}'), { n: '10', s: 'x', deep: { a: [1] } });
  });

  it('is empty for empty text', async () => {
    assert.deepEqual(await parsed('\n  \n# nothing\n'), {});
  });

  const broken: Record<string, [string, RegExp]> = {
    'a key given twice in lines': ['a=1\na=2', /'a' is given twice/],
    'a key given twice in YAML': ['a: 1\na: 2', /line 2: duplicate key/],
    'a list at the top': ['- a\n- b', /neither a map/],
    'plain text': ['just words', /neither a map/],
    'a whole number that JavaScript cannot hold, in a list': ['a: [12345678901234567890]', /'a' holds something/],
    'an alias that leads nowhere': ['a: *nothing', /alias|line 1/],
    'an alias of itself': ['a: &x [*x]', /nested too deep|cannot express|alias/],
    'aliases that multiply without end': [
      'a: &a [x]\nb: &b [*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c]',
      /'d' uses an alias that cannot be resolved/,
    ],
    'broken JSON': ['{"a": ', /line 1/],
  };
  for (const [title, [text, message]] of Object.entries(broken)) {
    it(`refuses ${title}`, () =>
      assert.rejects(parsed(text), (error) => error instanceof MappingSyntaxError && message.test(error.message)));
  }

  for (const text of ['&x !!binary <<: *x', 'a: [!!binary aGVsbG8=]', 'a: {b: !!binary ""}']) {
    it(`refuses bytes: ${text}`, () => assert.rejects(parsed(text), /JSON cannot express/));
  }

  it('never shows a value in its message', async () => {
    await assert.rejects(parsed('password: "hunter2\nother: ['), (error: Error) => !error.message.includes('hunter2'));
  });

  it('gives any JSON object of texts back unchanged', () =>
    fc.assert(
      fc.asyncProperty(
        fc.dictionary(fc.stringMatching(/^[a-z]\w{0,8}$/), fc.string({ unit: 'grapheme' })),
        async (map) => {
          assert.deepEqual(await parsed(JSON.stringify(map)), { ...map });
        },
      ),
    ));
});
