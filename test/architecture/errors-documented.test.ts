import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { ERROR_FAMILIES } from '#core/errors.ts';
import { ROOT } from '../../scripts/repository.ts';
import { sourceFiles } from './source-files.ts';

const CODES = Object.keys(ERROR_FAMILIES).sort();
const PARTS = ['Meaning', 'Usual cause', 'Remedy'];

describe('error codes', () => {
  const page = readFileSync(resolve(ROOT, 'docs/errors.md'), 'utf8');
  const sections = page.split(/^## /m).slice(1);
  const titles = sections.map((section) => section.split('\n')[0] ?? '');

  it('have a section each in docs/errors.md, and no section is without a code', () => {
    assert.deepEqual([...titles].sort(), CODES);
  });

  it('are documented with family, meaning, usual cause and remedy', () => {
    for (const [i, section] of sections.entries()) {
      const family = ERROR_FAMILIES[titles[i] as keyof typeof ERROR_FAMILIES];
      assert.match(section, new RegExp(`^Family: ${family}$`, 'm'), titles[i]);
      for (const part of PARTS)
        assert.match(section, new RegExp(`^\\*\\*${part}\\.\\*\\* \\S`, 'm'), `${titles[i]}: ${part}`);
    }
  });

  it('are each raised somewhere', () => {
    const texts = sourceFiles(['src'], /\.(ts|py)$/).filter(({ path }) => !path.endsWith('core/errors.ts'));
    assert.deepEqual(
      CODES.filter((code) => !texts.some(({ text }) => text.includes(code))),
      [],
    );
  });

  it('are the only ones that code and pages mention', () => {
    const mentioned = sourceFiles(['src', 'tasks', 'docs'], /\.(ts|py|md|json)$/).flatMap(({ path, text }) =>
      [...text.matchAll(/\bERR_[A-Z]+(?:_[A-Z]+)+\b/g)].map(([code]) => ({ path, code })),
    );
    // Node's own codes look the same; they are named where we tell them apart.
    const unknown = mentioned.filter(
      ({ code }) => !CODES.includes(code) && !/^ERR_(TLS|SSL|INVALID|MODULE|STREAM|HTTP_REQUEST)_/.test(code),
    );
    assert.deepEqual(unknown, []);
  });
});
