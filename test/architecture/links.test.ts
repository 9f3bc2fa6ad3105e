import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ROOT } from '../../scripts/repository.ts';

const LINK = /\]\((?!https?:|#)([^)\s#]+)(?:#[^)]*)?\)/g;

describe('documents', () => {
  it('link only to files that are there', () => {
    const documents = spawnSync('git', ['ls-files', '*.md'], { cwd: ROOT, encoding: 'utf8' }).stdout.trim().split('\n');
    assert.ok(documents.includes('README.md'));
    const broken = documents.flatMap((document) => {
      const links = [...readFileSync(join(ROOT, document), 'utf8').matchAll(LINK)].map(([, target = '']) => target);
      return links
        .filter((target) => !existsSync(join(ROOT, dirname(document), target)))
        .map((to) => `${document}: ${to}`);
    });
    assert.deepEqual(broken, []);
  });
});
