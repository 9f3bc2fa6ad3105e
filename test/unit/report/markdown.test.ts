import assert from 'node:assert/strict';
import fc from 'fast-check';
import { codeBlock, inline, link, md, plain } from '#report/markdown.ts';
import { webLink } from '#report/web-link.ts';
import { hostileText } from '../../support/arbitrary-run.ts';

/** What CommonMark makes of escaped text: backslash escapes of ASCII punctuation, and the three entities. */
function shown(markdown: string): string {
  return markdown.replace(
    /\\([!-/:-@[-`{-~])|&(amp|lt|gt);/g,
    (_, mark: string | undefined, entity: string) => mark ?? ({ amp: '&', lt: '<', gt: '>' }[entity] as string),
  );
}

/** What is left to act as markup, with a letter in place of every escape. */
function unescaped(markdown: string): string {
  return markdown.replace(/\\[!-/:-@[-`{-~]|&(?:amp|lt|gt);/g, 'x');
}

describe('inline', () => {
  it('shows the text and nothing but the text, for any text', () => {
    fc.assert(
      fc.property(hostileText, fc.integer({ min: 1, max: 200 }), (text, max) => {
        const markdown = inline(text, max);
        assert.equal(shown(markdown), plain(text, max));
        assert.doesNotMatch(unescaped(markdown), /[\\`*_[\]#!|~$@<>&\n\r\t\v\f\u0085\u2028\u2029]|:\S/u);
        assert.doesNotMatch(markdown, /[\p{Cc}\u202a-\u202e\u2066-\u2069\u200b\u200e\u200f\ufeff]/u);
        assert.doesNotMatch(markdown, /\p{Surrogate}/u);
        assert.ok(plain(text, max).length <= max);
      }),
      { numRuns: 500 },
    );
  });

  const cases: readonly [string, string][] = [
    ['a|b', 'a\\|b'],
    ['<img src=x onerror=alert(1)>', '&lt;img src=x onerror=alert(1)&gt;'],
    ['&lt;', '&amp;lt;'],
    ['two\r\nlines\u2028three', 'two lines three'],
    ['`code`', '\\`code\\`'],
    ['https://evil.example', 'https\\://evil.example'],
    ['www.evil.example', 'www\\.evil.example'],
    ['someone@evil.example', 'someone\\@evil.example'],
    ['#12 !3', '\\#12 \\!3'],
    ['gnp\u202eexe', 'gnp\uFFFDexe'],
    ['\u001b[31mred', '\uFFFD\\[31mred'],
    ['DailyReport(date=2026-11-20)', 'DailyReport(date=2026-11-20)'],
  ];
  for (const [text, expected] of cases) {
    it(`${JSON.stringify(text)} → ${JSON.stringify(expected)}`, () => assert.equal(inline(text, 100), expected));
  }

  it('holds no logging command, cut or whole', () => {
    fc.assert(
      fc.property(hostileText, hostileText, fc.integer({ min: 1, max: 60 }), (before, after, max) => {
        const text = `${before}##vso[task.complete result=Succeeded]${after}##[error]`;
        assert.doesNotMatch(inline(text, max), /##\s*(vso)?\s*\[/i);
        assert.doesNotMatch(codeBlock(text, 10, max), /##(vso)?\[/i);
      }),
    );
  });

  it('cuts no pair of surrogates in two', () => {
    assert.equal(inline('ab😀cd', 4), 'ab…');
    assert.equal(inline('ab😀cd', 5), 'ab😀…');
  });
});

describe('codeBlock', () => {
  it('is not left by any text', () => {
    fc.assert(
      fc.property(hostileText, (text) => {
        const [open = '', ...rest] = codeBlock(text, 12, 100).split('\n');
        const fence = /^`{3,}/.exec(open)?.[0] ?? assert.fail(open);
        assert.equal(rest.at(-1), fence);
        for (const line of rest.slice(0, -1)) assert.ok(!line.includes(fence), line);
        assert.ok(rest.length <= 13);
      }),
    );
  });

  it('keeps the last lines and their indentation', () => {
    assert.equal(
      codeBlock('first\n  File "a.py"\n    raise\n\nE: x\n', 3, 80),
      '```text\n  File "a.py"\n    raise\nE: x\n```',
    );
  });
});

describe('link', () => {
  it('leads to http and https only', () => {
    for (const address of [
      'javascript:alert(1)',
      'data:text/html,x',
      'vbscript:x',
      '//evil',
      'x',
      'https://a:b@c/',
      undefined,
    ]) {
      assert.equal(link(md`words`, address), 'words', String(address));
    }
    assert.equal(link(md`words`, 'https://dev.azure.com/a/b'), '[words](https://dev.azure.com/a/b)');
  });

  it('cannot be closed by its address', () => {
    fc.assert(
      fc.property(hostileText, (text) => {
        const href = webLink(`https://dev.azure.com/${text}`) ?? '';
        assert.doesNotMatch(href, /[()<>|\s`'"\\\p{Cc}]/u);
      }),
    );
  });
});
