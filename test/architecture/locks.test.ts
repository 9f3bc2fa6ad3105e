import assert from 'node:assert/strict';
import { readJson } from '../../scripts/repository.ts';
import { sourceFiles } from './source-files.ts';

interface Locked {
  readonly integrity?: string;
  readonly resolved?: string;
}

/** Biome's programs for other platforms, whose hashes could not be had where the lock was made; Linux has both. */
const WITHOUT_HASH = /^node_modules\/@biomejs\/cli-(android|darwin|win32|linux-\w+-musl)/;

describe('lock files', () => {
  it('name a hash for every npm package and no registry', () => {
    const { packages } = readJson<{ packages: Record<string, Locked> }>('package-lock.json');
    const locked = Object.entries(packages).filter(([path]) => path !== '');
    const loose = locked.filter(
      ([path, { integrity }]) => !integrity?.startsWith('sha512-') && !WITHOUT_HASH.test(path),
    );
    assert.deepEqual(loose, []);
    assert.deepEqual(
      locked.filter(([, { resolved }]) => resolved !== undefined),
      [],
    );
  });

  it('name a hash for every Python package', () => {
    const loose = sourceFiles(['scripts/python'], /\.txt$/).flatMap(({ path, text }) =>
      text
        .replaceAll('\\\n', ' ')
        .split('\n')
        .filter((line) => /^[a-z0-9]/i.test(line) && !/ --hash=sha256:[0-9a-f]{64}/.test(line))
        .map((line) => `${path}: ${line}`),
    );
    assert.deepEqual(loose, []);
  });
});
