import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Secret } from '#core/secret.ts';
import { secretForms } from '#core/secret-forms.ts';

/** Masks as the agent does: each line by itself, every registered text wherever it stands. */
function mask(text: string, secret: Secret): string {
  const forms = secretForms(secret);
  return text
    .split('\n')
    .map((line) => forms.reduce((masked, form) => masked.replaceAll(form, '***'), line))
    .join('\n');
}

describe('secretForms', () => {
  const value = 'pa"ss/w+rd &\\ é=1';
  const secret = new Secret(value);

  it('covers the value, its JSON and URL forms', () => {
    const texts = [
      value,
      JSON.stringify({ key: value }),
      JSON.stringify(value).replaceAll('/', '\\/'),
      encodeURIComponent(value),
      new URLSearchParams({ value }).toString().slice('value='.length),
      encodeURIComponent(value).toLowerCase(),
    ];
    for (const text of texts) assert.match(mask(text, secret), /\*\*\*/, text);
  });

  it("covers Python's ASCII-only JSON", () => {
    assert.equal(mask('"pa\\"ss/w+rd &\\\\ \\u00e9=1"', secret), '"***"');
  });

  it("covers what Python's own encoders and repr() make of it, with and without quotes of its own", () => {
    const quoted = `k'1"2\\é\t\u00a0/+~ =&`;
    const texts = [
      'k%271%222%5C%C3%A9%09%C2%A0/%2B~%20%3D%26',
      'k%271%222%5C%C3%A9%09%C2%A0%2F%2B~+%3D%26',
      'k%271%222%5c%c3%a9%09%c2%a0%2f%2b%7e+%3d%26',
      `k\\'1"2\\\\é\\t\\xa0/+~ =&`,
      `k\\'1"2\\\\\\xc3\\xa9\\t\\xc2\\xa0/+~ =&`,
      `k'"'"'1"2\\é\t\u00a0/+~ =&`,
      `k'\\''1"2\\é\t\u00a0/+~ =&`,
    ];
    for (const text of texts) assert.equal(mask(`<${text}>`, new Secret(quoted)), '<***>');
  });

  it('covers base64 of the value alone, with a newline after it and behind a user name', () => {
    for (const around of [value, `${value}\n`, `u:${value}`, `us:${value}`, `use:${value}`, `use:${value}!`]) {
      const base64 = Buffer.from(around).toString('base64');
      const left = mask(base64, secret);
      assert.match(left, /\*\*\*/);
      assert.ok(left.length < 16, `${around}: ${left}`);
      assert.match(mask(Buffer.from(around).toString('base64url'), secret), /\*\*\*/);
    }
  });

  it('masks each line of a multi-line secret, and its base64 wrapped at 64 and 76 columns', () => {
    const lines = ['-----BEGIN PRIVATE KEY-----', 'A'.repeat(64), 'B'.repeat(63), '-----END PRIVATE KEY-----'];
    const pem = new Secret(`${lines.join('\r\n')}\r\n`);
    for (const line of lines) assert.equal(mask(`> ${line} <`, pem), '> *** <');
    for (const width of [64, 76]) {
      const wrapped = Buffer.from(pem.reveal())
        .toString('base64')
        .replace(new RegExp(`.{${width}}`, 'g'), '$&\n');
      assert.equal(mask(wrapped, pem).replaceAll(/\*\*\*|\n|=/g, ''), '');
    }
  });

  it('does not mask brackets and other short lines, but always a whole value', () => {
    const forms = secretForms(new Secret('{\n  "key": "0123456789"\n}\n'));
    assert.ok(forms.every((form) => form.trim().length >= 4));
    for (const short of ['ab', 'ab\n']) assert.ok(secretForms(new Secret(short)).includes('ab'));
  });

  it('has no form for an empty value', () => {
    assert.deepEqual(secretForms(new Secret('')), []);
  });

  it('gives only lines that an agent accepts, for any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
        const forms = secretForms(new Secret(text));
        for (const form of forms) assert.ok(form.length > 0 && !/[\r\n]/.test(form));
      }),
    );
  });

  it('hides any secret of one line in every form', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 12, maxLength: 90 }), (text) => {
        fc.pre(text.trim().length >= 8);
        const one = new Secret(text);
        assert.ok(!mask(`x ${text} y`, one).includes(text));
        assert.ok(!mask(JSON.stringify({ text }), one).includes(JSON.stringify(text).slice(1, -1)));
      }),
    );
  });
});
