import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pythonOf } from '../../scripts/python-environments.mjs';
import { ROOT } from '../../scripts/repository.ts';
import { luigiPython, TASK_NODE } from '../support/local-pipeline.ts';
import { type LuigiStep, LuigiSteps } from '../support/luigi-steps.ts';

const MODULES = join(ROOT, 'test/fixtures/luigi');
const EXTENDED = pythonOf(ROOT, 'test');
const FOUR = { workers: '4' };

const libraries = {
  days: range('RangeDaily', { of: 'Daily', start: '2026-11-01', stop: '2026-11-04' }),
  hours: range('RangeHourly', { of: 'Hourly', start: '2026-11-01T22', stop: '2026-11-02T03' }),
  months: range('RangeMonthly', { of: 'Monthly', start: '2026-08', stop: '2026-10', reverse: 'true' }),
  b2luigi: { module: 'physics', task: 'Analyses', inputs: { python: EXTENDED } },
  b2luigiWithFour: { module: 'physics', task: 'Analyses', inputs: { python: EXTENDED, ...FOUR } },
  ownLibrary: { module: 'karts', task: 'Model' },
  ownLibraryWithFour: { module: 'karts', task: 'Model', parameters: { workspace: 'elsewhere' }, inputs: FOUR },
} satisfies Record<string, LuigiStep>;

/** How many tasks there are, the range itself included. */
const TASKS = {
  days: 4,
  hours: 6,
  months: 5,
  b2luigi: 7,
  b2luigiWithFour: 7,
  ownLibrary: 5,
  ownLibraryWithFour: 5,
} satisfies Record<keyof typeof libraries, number>;

if (TASK_NODE === '24') {
  describe('RunLuigi@1: range tasks and libraries of tasks write the same as under plain luigi', () => {
    const steps = new LuigiSteps<keyof typeof libraries>(libraries);
    before(async function () {
      this.timeout(120_000);
      await steps.run();
    });
    after(() => steps.remove());

    for (const name of Object.keys(libraries) as (keyof typeof libraries)[]) {
      it(name, () => {
        const { folder, outputs } = steps.succeeded(name);
        const plain = plainOutputs(libraries[name]);
        assert.ok(plain.size > 0);
        assert.deepEqual(outputsBelow(folder), plain);
        assert.deepEqual([outputs['tasksTotal'], outputs['tasksFailed']], [String(TASKS[name]), '0']);
      });
    }
  });
}

function range(task: string, parameters: Readonly<Record<string, string>>): LuigiStep {
  // Noon of 2026-11-21 (UTC): what a range holds depends on the clock.
  return { module: 'ranges', task, parameters: { ...parameters, now: '1795262400' } };
}

function plainOutputs({ module, task, parameters = {}, inputs = {} }: LuigiStep): Map<string, string> {
  const folder = mkdtempSync(join(tmpdir(), 'plumbline-plain-'));
  try {
    const values = Object.entries(parameters).map(([name, value]) =>
      name === 'reverse' ? `--${name}` : `--${name}=${String(value)}`,
    );
    const args = ['-m', 'luigi', '--module', module, task, ...values, '--local-scheduler', '--no-lock'];
    const { status, stderr } = spawnSync(inputs['python'] ?? luigiPython(), args, {
      cwd: folder,
      env: { PATH: process.env['PATH'], HOME: folder, PYTHONPATH: MODULES, PYTHONDONTWRITEBYTECODE: '1' },
      encoding: 'utf8',
    });
    assert.equal(status, 0, stderr);
    return outputsBelow(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Every file by its path, as latin1 so that bytes are compared. */
function outputsBelow(folder: string): Map<string, string> {
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) =>
    statSync(join(folder, path)).isFile(),
  );
  return new Map(paths.sort().map((path) => [path, readFileSync(join(folder, path), 'latin1')]));
}
