import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Secret } from '#core/secret.ts';
import { findStrays } from '#engines/luigi/stray-processes.ts';
import { followAttempt, LaunchScenario, until } from '../support/launch-scenario.ts';

describe('a local launcher', () => {
  let scenario: LaunchScenario;

  beforeEach(async () => {
    scenario = await LaunchScenario.create();
  });
  afterEach(() => scenario.close());

  const started = (runId: string, family: string) =>
    until(() => eventsOf(runId).includes(`"e":"start","at"`) && eventsOf(runId).includes(family));
  const eventsOf = (runId: string) => readFileSync(join(scenario.attemptFolder(runId), 'events.jsonl'), 'utf8');

  it('runs a task, tells of it in order, and tells the same again', async () => {
    const runId = await scenario.start('appending', 'Appends');
    const first = await followAttempt(scenario.launcher, runId);
    assert.equal(first.outcome.state, 'succeeded', JSON.stringify(first.outcome.findings));
    assert.equal(first.outcome.verified, 'confirmed');
    assert.deepEqual(
      first.updates.flatMap((update) => (update.kind === 'task' ? [update.task.state] : [])),
      ['pending', 'running', 'done'],
    );
    assert.deepEqual(await followAttempt(scenario.launcher, runId), first);
    const later = await LaunchScenario.create({}, scenario.folder);
    assert.deepEqual(await followAttempt(later.launcher, runId), first);
    assert.equal(await later.launcher.recover(runId, 1), 'ended');
  });

  it('tells the failure of a task', async () => {
    const runId = await scenario.start('failing', 'Root');
    const { outcome } = await followAttempt(scenario.launcher, runId);
    assert.equal(outcome.state, 'failed');
    assert.ok(outcome.findings.some(({ code, message }) => code === 'ERR_RUN_FAILED' && message.includes('Broken')));
  });

  it('refuses a second start of the same attempt', async () => {
    const launch = scenario.launch('appending', 'Appends');
    await scenario.launcher.start(launch);
    await assert.rejects(scenario.launcher.start(launch), TypeError);
    await followAttempt(scenario.launcher, launch.runId);
    await assert.rejects(scenario.launcher.start(launch), TypeError);
    assert.equal(readFileSync(join(scenario.work, 'appended'), 'utf8').split('\n').length, 2);
  });

  it('stops a run with all that it started, and says why', async () => {
    const runId = await scenario.start('daemons', 'LeavesDaemons');
    await until(() => existsSync(join(scenario.work, 'ready')));
    const following = followAttempt(scenario.launcher, runId);
    assert.equal(await scenario.launcher.stop(runId, 1, 'cancelled'), 'stopped');
    assert.deepEqual(findStrays(`${runId}.1`), []);
    assert.equal((await following).outcome.state, 'cancelled');
    assert.equal(await scenario.launcher.stop(runId, 1, 'deadline'), 'stopped');
    assert.equal((await followAttempt(scenario.launcher, runId)).outcome.state, 'cancelled');
  });

  it('stops a run whose supervisor does not move, and what hides from its mark', async () => {
    writeFileSync(
      join(scenario.work, 'hides.py'),
      'import luigi, os, subprocess, time\n' +
        'class Hides(luigi.Task):\n' +
        '    def run(self):\n' +
        '        child = subprocess.Popen(["sleep", "3600"], env={}, start_new_session=True)\n' +
        '        open("hidden", "w").write(str(child.pid))\n' +
        '        time.sleep(3600)\n',
    );
    const runId = await scenario.start('hides', 'Hides');
    await until(
      () => existsSync(join(scenario.work, 'hidden')) && readFileSync(join(scenario.work, 'hidden')).length > 0,
    );
    const hidden = Number(readFileSync(join(scenario.work, 'hidden'), 'utf8'));
    const { pid } = JSON.parse(readFileSync(join(scenario.attemptFolder(runId), 'claim.json'), 'utf8'));
    process.kill(pid, 'SIGSTOP');
    assert.equal(await scenario.launcher.stop(runId, 1, 'cancelled'), 'stopped');
    assert.ok(!isRunning(hidden));
    const { outcome } = await followAttempt(scenario.launcher, runId);
    assert.equal(outcome.state, 'cancelled');
    assert.match(outcome.summary ?? '', /has stopped/);
  });

  it('ends what user code left running after a good run', async () => {
    const runId = await scenario.start('daemons', 'LeavesDaemons', { parameters: { stay: 'False' } });
    const { outcome } = await followAttempt(scenario.launcher, runId);
    assert.equal(outcome.state, 'succeeded');
    assert.deepEqual(findStrays(`${runId}.1`), []);
  });

  it('ends a run at its deadline though nobody watches', async () => {
    const runId = await scenario.start('hung', 'Hung', { maxRuntimeMs: 800 });
    await until(() => existsSync(join(scenario.attemptFolder(runId), 'exit.json')));
    const later = await LaunchScenario.create({}, scenario.folder);
    await until(async () => (await later.launcher.recover(runId, 1)) === 'ended');
    const { outcome } = await followAttempt(later.launcher, runId);
    assert.equal(outcome.state, 'deadline');
    assert.ok(outcome.findings.some(({ code }) => code === 'ERR_RUN_DEADLINE'));
  });

  it('keeps the output up to its cap and gives any part of it', async () => {
    const capped = await LaunchScenario.create({ limits: { outputMaxBytes: 5_000 } });
    try {
      writeFileSync(
        join(capped.work, 'prints.py'),
        'import luigi\nclass Prints(luigi.Task):\n    def output(self): return luigi.LocalTarget("printed")\n' +
          '    def run(self):\n        for i in range(10000): print("line", i)\n        self.output().open("w").close()\n',
      );
      const runId = await capped.start('prints', 'Prints');
      assert.equal((await followAttempt(capped.launcher, runId)).outcome.state, 'succeeded');
      const whole = await capped.launcher.output(runId, 1, { start: 0 });
      assert.equal(whole.bytes.length, 5_000);
      assert.equal(whole.total, 5_000);
      assert.ok(whole.droppedBytes > 80_000);
      const part = await capped.launcher.output(runId, 1, { start: 100, end: 200 });
      assert.deepEqual(Buffer.from(part.bytes), Buffer.from(whole.bytes.subarray(100, 200)));
      const beyond = await capped.launcher.output(runId, 1, { start: 9_999, end: 10_000 });
      assert.equal(beyond.bytes.length, 0);
    } finally {
      await capped.close();
    }
  });

  it('gives nothing of its own environment, and secrets as variables and files that are gone afterwards', async () => {
    process.env['GATEWAY_ONLY'] = 'canary-of-the-gateway';
    const runId = await scenario
      .start('intruder', 'Tells', {
        parameters: { wait: 'True' },
        variables: { COLOUR: 'green' },
        secretVariables: { PASSWORD: new Secret('canary-password') },
        secretFiles: { TOKEN_FILE: new Secret('canary-token') },
      })
      .finally(() => delete process.env['GATEWAY_ONLY']);
    const path = join(scenario.work, `tells-${runId}.1.json`);
    await until(() => existsSync(path));
    const told = JSON.parse(readFileSync(path, 'utf8'));
    assert.equal(told.token, 'canary-token');
    const { PASSWORD, TOKEN_FILE, ...rest } = told.environment;
    assert.equal(PASSWORD, 'canary-password');
    assert.equal(statSync(TOKEN_FILE).mode & 0o777, 0o600);
    const names = 'COLOUR HOME LANG LOGNAME PATH PLUMBLINE_RUN_ID PYTHONDONTWRITEBYTECODE PYTHONPATH TMPDIR USER'.split(
      ' ',
    );
    assert.deepEqual(Object.keys(rest).toSorted(), names);
    assert.equal(rest['PLUMBLINE_RUN_ID'], `${runId}.1`);
    await scenario.launcher.stop(runId, 1, 'cancelled');
    assert.ok(!existsSync(TOKEN_FILE));
    for (const file of filesBelow(scenario.runsDirectory)) {
      assert.ok(!readFileSync(file, 'utf8').includes('canary'), file);
    }
  });

  it('masks secrets in captured output', async () => {
    writeFileSync(
      join(scenario.work, 'leaks.py'),
      'import luigi, os, base64\nclass Leaks(luigi.Task):\n    def output(self): return luigi.LocalTarget("leaked")\n' +
        '    def run(self):\n        print("a", os.environ["PASSWORD"], base64.b64encode(os.environ["PASSWORD"].encode()).decode(), "z")\n' +
        '        self.output().open("w").close()\n',
    );
    const runId = await scenario.start('leaks', 'Leaks', {
      secretVariables: { PASSWORD: new Secret('canary-password') },
    });
    await followAttempt(scenario.launcher, runId);
    const output = await scenario.outputOf(runId);
    assert.match(output, /^a \*\*\* \S*\*\*\*\S* z$/m);
    assert.ok(!output.includes('canary') && !output.includes(Buffer.from('canary-password').toString('base64')));
  });

  it('shows no secret that cannot be a variable', async () => {
    const launch = scenario.launch('appending', 'Appends', { secretVariables: { PASSWORD: new Secret('canary\0') } });
    await assert.rejects(scenario.launcher.start(launch), (error: Error) => {
      assert.match(error.message, /"PASSWORD"/);
      assert.ok(!JSON.stringify({ ...error, message: error.message, stack: error.stack }).includes('canary'));
      return true;
    });
    assert.equal(await scenario.launcher.recover(launch.runId, 1), 'neverStarted');
  });

  it('says that nothing was started when Python is not there', async () => {
    const python = { path: '/nonexistent/python', version: '3.13.0', luigiVersion: '3.8.1' };
    const launch = scenario.launch('appending', 'Appends', { python });
    await assert.rejects(scenario.launcher.start(launch), { code: 'ERR_PYTHON_NOT_FOUND' });
    assert.equal(await scenario.launcher.recover(launch.runId, 1), 'neverStarted');
    await scenario.launcher.remove(launch.runId, 1);
    assert.deepEqual(readdirSync(scenario.runsDirectory), ['records']);
  });

  it('says that nothing was started when Python ends before the worker', async () => {
    const python = { path: '/bin/false', version: '3.13.0', luigiVersion: '3.8.1' };
    const launch = scenario.launch('appending', 'Appends', { python });
    await assert.rejects(scenario.launcher.start(launch), { code: 'ERR_RUN_DIED', message: /ended with status 1$/ });
    assert.equal(await scenario.launcher.recover(launch.runId, 1), 'neverStarted');
  });

  it('says that nothing was started when the worker does not begin in time, and it never does', async () => {
    const slow = await LaunchScenario.create({ limits: { startMs: 300 } });
    try {
      const python = { path: join(slow.work, 'slow'), version: '3.13.0', luigiVersion: '3.8.1' };
      writeFileSync(python.path, '#!/bin/sh\nsleep 3600\n', { mode: 0o755 });
      const launch = slow.launch('appending', 'Appends', { python });
      await assert.rejects(slow.launcher.start(launch), { code: 'ERR_RUN_DIED', message: /in time$/ });
      assert.equal(await slow.launcher.recover(launch.runId, 1), 'neverStarted');
    } finally {
      await slow.close();
    }
  });

  it('ends a worker that writes more events than are read, and never calls that good', async () => {
    const small = await LaunchScenario.create({ limits: { eventMaxBytes: 20_000 } });
    try {
      writeFileSync(
        join(small.work, 'chatters.py'),
        'import luigi\nclass Chatters(luigi.Task):\n    def output(self): return luigi.LocalTarget("chattered")\n' +
          '    def run(self):\n        for i in range(5000): self.set_status_message("message %d" % i)\n' +
          '        self.output().open("w").close()\n        import time; time.sleep(3600)\n',
      );
      const runId = await small.start('chatters', 'Chatters');
      const first = await followAttempt(small.launcher, runId);
      assert.equal(first.outcome.state, 'failed');
      assert.deepEqual((await followAttempt(small.launcher, runId)).updates, first.updates);
    } finally {
      await small.close();
    }
  });

  it('deletes the folder of an attempt only after its end', async () => {
    const runId = await scenario.start('hung', 'Hung');
    await started(runId, 'Hung');
    await assert.rejects(scenario.launcher.remove(runId, 1), TypeError);
    await scenario.launcher.stop(runId, 1, 'cancelled');
    await scenario.launcher.remove(runId, 1);
    assert.deepEqual(readdirSync(scenario.runsDirectory), ['records']);
    assert.deepEqual(readdirSync(join(scenario.runsDirectory, 'records')), []);
    assert.equal(await scenario.launcher.recover(runId, 1), 'neverStarted');
    assert.throws(() => scenario.launcher.follow(runId, 1, new AbortController().signal), { code: 'ERR_RUN_LOST' });
  });

  it('is not taken in by names that lead elsewhere', async () => {
    for (const runId of ['../elsewhere', '', 'a/b', '.', 'a.1']) {
      await assert.rejects(scenario.start('appending', 'Appends', { runId }), TypeError);
      await assert.rejects(scenario.launcher.recover(runId, 1), TypeError);
    }
  });

  it('refuses a runs directory to which others may write', async () => {
    mkdirSync(join(scenario.folder, 'open', 'runs'), { recursive: true, mode: 0o755 });
    chmodSync(join(scenario.folder, 'open', 'runs'), 0o777);
    await assert.rejects(LaunchScenario.create({}, join(scenario.folder, 'open')), {
      code: 'ERR_ISOLATION_UNAVAILABLE',
    });
  });

  it('refuses a role with a Unix user without isolation', async () => {
    await assert.rejects(scenario.start('appending', 'Appends', { unixUser: 'daemon' }), {
      code: 'ERR_ISOLATION_UNAVAILABLE',
    });
  });
});

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

function isRunning(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}
