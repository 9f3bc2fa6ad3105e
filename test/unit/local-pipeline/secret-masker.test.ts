import assert from 'node:assert/strict';
import fc from 'fast-check';
import { SecretMasker } from '#local-pipeline/secret-masker.ts';

function masker(...values: string[]): SecretMasker {
  const result = new SecretMasker();
  for (const value of values) result.add(value);
  return result;
}

describe('the secret masker', () => {
  const cases: readonly (readonly [string, readonly string[], string, string])[] = [
    ['every occurrence', ['secret'], 'secret, my secret', '***, my ***'],
    ['overlapping values are one mask', ['abcd', 'cdef'], 'xabcdefx', 'x***x'],
    ['touching values are one mask', ['abc', 'def'], 'abcdef', '***'],
    ['a value inside another', ['abcdef', 'cd'], '-abcdef-', '-***-'],
    ['repeated overlapping', ['aa'], 'aaa', '***'],
    ['the form inside JSON', ['a"b'], '{"x":"a\\"b"}', '{"x":"***"}'],
    ['the URI-escaped form', ['a b&c'], 'q=a%20b%26c', 'q=***'],
    ['the password of an address', [], 'https://user:pass@host/x', 'https://user:***@host/x'],
    ['one character', ['x'], 'x', '***'],
    ['nothing for an empty value', [''], 'abc', 'abc'],
  ];
  for (const [title, values, text, expected] of cases)
    it(title, () => assert.equal(masker(...values).mask(text), expected));

  it('as on an agent, a value of several lines is not masked line by line', () => {
    const several = new SecretMasker();
    several.addVariable('first line\nsecond line');
    assert.equal(several.mask('first line'), 'first line');
    assert.equal(several.mask('first line\nsecond line'), '***');
    assert.equal(several.mask('first line%0Asecond line'), '***');
  });

  it('a secret variable is masked as base64 and without its quotes', () => {
    const quoted = new SecretMasker();
    quoted.addVariable('"hunter2"');
    assert.equal(quoted.mask('hunter2'), '***');
    assert.equal(quoted.mask(Buffer.from('"hunter2"').toString('base64')), '***');
  });

  it('AZP_IGNORE_SECRETS_SHORTER_THAN spares short values only, never those of six characters', () => {
    const short = masker('abc', 'abcdef');
    short.ignoreShorterThan(100);
    assert.equal(short.mask('abc'), 'abc');
    assert.equal(short.mask('abcdef'), '***');
    short.add('xyz');
    assert.equal(short.mask('xyz'), 'xyz');
  });

  it('leaves no secret behind', () => {
    const secret = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 2, maxLength: 5 });
    fc.assert(
      fc.property(
        fc.array(secret, { maxLength: 4 }),
        fc.string({ unit: fc.constantFrom('a', 'b', 'c', '-'), maxLength: 40 }),
        (secrets, text) => {
          const masked = masker(...secrets).mask(text);
          for (const value of secrets) assert.ok(!masked.includes(value), `${masked} still has ${value}`);
        },
      ),
    );
  });
});
