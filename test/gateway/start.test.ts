import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { isolationHere, workerPython } from '../../scripts/gateway-isolation.ts';
import { preparedVersions, pythonOf } from '../../scripts/python-environments.mjs';
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

  it('leaves a gateway alone that runs already, and says when its own has ended', async function () {
    this.timeout(100_000);
    const args = ['--disable-warning=ExperimentalWarning', resolve(ROOT, 'scripts/start.ts'), 'gateway'];
    const first = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    const exited = once(first, 'exit');
    let output = '';
    for (const stream of [first.stdout, first.stderr]) stream.on('data', (part) => (output += String(part)));
    try {
      while (!output.includes('Ctrl-C ends everything') && first.exitCode === null) await once(first.stdout, 'data');
      const url = /ready at (\S+)/.exec(output)?.[1];
      const second = spawnSync(process.execPath, [...args, '--check'], { cwd: ROOT, encoding: 'utf8' });
      assert.equal(second.status, 1, second.stdout);
      assert.match(second.stderr, /runs already.* Ctrl-C first/);
      assert.equal((await fetch(`${url}/readyz`)).status, 200);
      process.kill(gatewayOf(first.pid));
      assert.deepEqual(await exited, [1, null], output);
      assert.match(output, /The gateway has ended\. Its last words are in out\/gateway\/gateway\.log/);
    } finally {
      first.kill();
      await exited;
    }
  });

  it('gives workers no user who cannot get to their folder', () => {
    const above = mkdtempSync(join(tmpdir(), 'plumbline-closed-'));
    const folder = join(above, 'gateway');
    mkdirSync(folder, { mode: 0o755 });
    const place = { program: resolve(ROOT, 'src/cli/main.ts'), folder };
    try {
      chmodSync(above, 0o755);
      const pythons = preparedVersions(ROOT, 'luigi').map((version) => pythonOf(ROOT, 'luigi', version));
      // One that another user can start, where there is one: then only the folder makes the difference.
      const python = workerPython(pythons, place);
      chmodSync(above, 0o700);
      const { user, words } = isolationHere({ ...place, python });
      assert.equal(user, undefined, words);
      assert.match(words, /^none: /);
    } finally {
      rmSync(above, { recursive: true });
    }
  });

  /** Of the processes that it started the one that is no luigid. */
  function gatewayOf(pid: number | undefined): number {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);
    const found = children.find((child) => readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('\0serve\0'));
    assert.ok(found !== undefined, children.join());
    return found;
  }

  it('refuses what it does not know', () => {
    for (const args of [['gate'], ['gateway', '--chek']]) {
      const done = spawnSync(process.execPath, [resolve(ROOT, 'scripts/start.ts'), ...args], { encoding: 'utf8' });
      assert.equal(done.status, 64);
      assert.match(done.stderr, /usage: npm start/);
    }
  });
});
