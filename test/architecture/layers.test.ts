import assert from 'node:assert/strict';
import { importsOf, layerViolations } from './layers.ts';
import { sourceFiles } from './source-files.ts';

/** What the check says about one import in one file. */
function verdict(path: string, text: string): string[] {
  return layerViolations([{ path, text }]);
}

describe('layering', () => {
  it('holds in every file of src/ and tasks/', () => {
    assert.deepEqual(layerViolations(sourceFiles(['src', 'tasks'], /\.tsx?$/)), []);
  });

  it('names the file and what leaked', () => {
    assert.deepEqual(verdict('src/core/run.ts', "import { request } from '#http/request.ts';"), [
      'src/core/run.ts → #http/request.ts: core may import no other room',
    ]);
  });

  for (const [path, text] of [
    ['src/http/a.ts', "import { a } from '#identity/a.ts';"],
    ['src/http/a.ts', "import { a } from '../core/a.ts';"],
    ['src/http/a.ts', "const { a } = await import('#steps/a.ts');"],
    ['src/http/a.ts', "export { a } from '#host/a.ts';"],
    ['src/http/a.ts', "import { a } from '#http/b.ts';"],
    ['src/unknown/a.ts', "import { a } from '#core/a.ts';"],
    ['src/identity/a.ts', "import '#local-azure/a.ts';"],
    ['src/local-azure/a.ts', "import type { A } from '#identity/a.ts';"],
    ['src/run/a.ts', "import { a } from '#engines/engine.ts';"],
    ['src/engines/luigi/a.ts', "import { a } from '../airflow/a.ts';"],
    ['src/engines/engine.ts', "import { a } from './luigi/a.ts';"],
    ['src/steps/run-luigi/a.ts', "import { a } from '../run-airflow/a.ts';"],
    ['src/steps/run-luigi/a.ts', "import { runTask } from '#host/run-task.ts';"],
    ['src/steps/run-luigi/a.ts', "import tl from 'azure-pipelines-task-lib/task.js';"],
    ['src/report/a.ts', "import { readFile } from 'node:fs/promises';"],
    ['src/core/a.ts', "import { readFileSync } from 'node:fs';"],
    ['src/core/a.ts', "import { z } from 'zod';"],
    ['src/core/a.ts', "import {\n  a,\n  b,\n} from '#http/a.ts';"],
    ['tasks/AV1/index.ts', "import { a } from '#steps/a/a.ts';\nimport { b } from '#steps/b/b.ts';"],
    ['tasks/AV1/index.ts', "import { a } from '#steps/a/a.ts';\nimport { b } from '#core/b.ts';"],
    ['tasks/AV1/index.ts', `import { a } from '#steps/a/a.ts';\n${'a();\n'.repeat(10)}`],
  ] as const) {
    it(`refuses ${JSON.stringify(text.slice(0, 60))} in ${path}`, () => {
      assert.equal(verdict(path, text).length, 1);
    });
  }

  for (const [path, text] of [
    ['src/run/a.ts', "import type { Engine } from '#engines/engine.ts';"],
    ['src/engines/luigi/a.ts', "import type { Engine } from '../engine.ts';"],
    ['src/http/a.ts', "// import { a } from '#identity/a.ts';"],
    ['tasks/AV1/index.ts', "import { runTask } from '#host/run-task.ts';\nimport { a } from '#steps/a/a.ts';"],
  ] as const) {
    it(`allows ${JSON.stringify(text.slice(0, 60))} in ${path}`, () => {
      assert.deepEqual(verdict(path, text), []);
    });
  }

  it('tells types from values', () => {
    assert.deepEqual(
      importsOf("import type { A } from './a.ts';\nimport { b, type C } from './b.ts';\nimport './c.ts';"),
      [
        { specifier: './a.ts', typeOnly: true },
        { specifier: './b.ts', typeOnly: false },
        { specifier: './c.ts', typeOnly: false },
      ],
    );
  });
});
