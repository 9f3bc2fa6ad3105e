import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { ROOT } from '../../scripts/repository.ts';

describe('npm start -- gateway', () => {
  it('--check makes the printed call, refused ones and a run, and ends by what it saw', function () {
    this.timeout(100_000);
    const args = ['--disable-warning=ExperimentalWarning', resolve(ROOT, 'scripts/start.ts'), 'gateway', '--check'];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' });
    assert.equal(status, 0, stdout + stderr);
    assert.doesNotMatch(stdout, /✘/);
    assert.match(stdout, /the printed commands start a run and follow it: run [0-9a-f-]{36} succeeded/);
    assert.match(stdout, /isolation {2}\S/);
    assert.match(stdout, /without a credential, is refused: 401 sign-in-needed/);
    assert.match(stdout, /RegionOrders was retail-customers, SalesReport was retail-reports/);
    const user = /workers run as the Unix user (\S+)/.exec(stdout)?.[1];
    if (user === undefined) assert.match(stdout, /^– luigid's socket is closed to the user of workers: not tried/m);
    else assert.ok(stdout.includes(`${user} got PermissionError`), stdout);
  });

  it('refuses what it does not know', () => {
    for (const args of [['gate'], ['gateway', '--chek']]) {
      const done = spawnSync(process.execPath, [resolve(ROOT, 'scripts/start.ts'), ...args], { encoding: 'utf8' });
      assert.equal(done.status, 64);
      assert.match(done.stderr, /usage: npm start/);
    }
  });
});
