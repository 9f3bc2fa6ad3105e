import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { ROOT } from '../../scripts/repository.ts';

const START = ['--disable-warning=ExperimentalWarning', resolve(ROOT, 'scripts/start.ts'), 'airflow'];

describe('npm start -- airflow', () => {
  it('--check runs the example against a real Airflow 3 with tokens of the gateway alone, and ends by what it saw', function () {
    this.timeout(300_000);
    const { status, stdout, stderr } = spawnSync(process.execPath, [...START, '--check'], {
      cwd: ROOT,
      encoding: 'utf8',
    });
    assert.equal(status, 0, stdout + stderr);
    assert.doesNotMatch(stdout, /✘/);
    assert.match(stdout, /orders_reload succeeded in .*, 3 tasks/);
    assert.match(stdout, /✔ the pipeline: Succeeded$/m);
    assert.match(stdout, /✔ Airflow on its one run: plumbline-\S+ success, started by orders-reload-pipeline$/m);
    assert.match(stdout, /✔ plumbline audit verify: /);
  });

  it('refuses what it does not know', () => {
    const { status, stderr } = spawnSync(process.execPath, [...START, '--chek'], { cwd: ROOT, encoding: 'utf8' });
    assert.equal(status, 64);
    assert.match(stderr, /usage: npm start -- airflow \[--check\]/);
  });
});
