import assert from 'node:assert/strict';
import { sourceFiles } from './source-files.ts';

const MAX_LINES = 300;
const VAGUE = /^(utils?|helpers?|common|shared|managers?|lib|misc|index)(\.|$)/;

describe('style', () => {
  const files = sourceFiles(['src', 'tasks', 'scripts', 'test'], /\.(tsx?|mjs|py)$/);
  const ours = files.filter(({ path }) => !path.includes('/fixtures/'));

  it(`keeps every file of product and tools within ${MAX_LINES} lines`, () => {
    const product = ours.filter(({ path }) => !path.startsWith('test/'));
    const long = product.map(({ path, text }) => [path, text.split('\n').length - 1] as const);
    assert.deepEqual(
      long.filter(([, lines]) => lines > MAX_LINES),
      [],
    );
  });

  it('names files and folders after what they hold', () => {
    const vague = ours.filter(({ path }) => path.split('/').some((part) => VAGUE.test(part)));
    // The agent looks a task's entry up by this name.
    const expected = vague.filter(({ path }) => !/^tasks\/\w+\/index\.ts$/.test(path));
    assert.deepEqual(
      expected.map(({ path }) => path),
      [],
    );
  });

  it('has no default exports, enums or any in product code', () => {
    const forbidden = /^export default|^(export )?(const )?enum |: any\b|\bas any\b|<any>/m;
    const product = ours.filter(({ path, text }) => /^(src|tasks)\/.*\.tsx?$/.test(path) && forbidden.test(text));
    assert.deepEqual(
      product.map(({ path }) => path),
      [],
    );
  });
});
