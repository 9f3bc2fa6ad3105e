import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RunOutcome } from '#core/run.ts';
import { findStrays } from '#engines/luigi/stray-processes.ts';
import type { Recovered } from '#gateway/launch/launcher.ts';
import { childrenOf } from '../support/chaos.ts';
import { followAttempt, LaunchScenario, until } from '../support/launch-scenario.ts';
import { luigiPython } from '../support/luigi-scenario.ts';

const PROGRAM = fileURLToPath(new URL('../support/start-attempt.ts', import.meta.url));

describe('after the process that starts workers was killed', () => {
  let scenario: LaunchScenario;

  beforeEach(async () => {
    scenario = await LaunchScenario.create();
  });
  afterEach(() => scenario.close());

  const appended = () => {
    const path = join(scenario.work, 'appended');
    return existsSync(path) ? readFileSync(path, 'utf8').split('\n').length - 1 : 0;
  };
  const claimOf = (runId: string) => join(scenario.attemptFolder(runId), 'claim.json');

  /** A process that starts an attempt; the attempt's mark is known to the scenario. */
  function starter(point = '', changes: object = {}): { runId: string; child: ChildProcess; said: Promise<unknown> } {
    const { runId } = scenario.launch('appending', 'Appends');
    const args = [PROGRAM, scenario.folder, runId, point, JSON.stringify(changes)];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    return { runId, child, said: once(child.stdout as NonNullable<typeof child.stdout>, 'data') };
  }

  async function killed(child: ChildProcess): Promise<void> {
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  }

  /** What the next process does: it recovers the attempt, and starts another one when none was begun. */
  async function goOn(runId: string): Promise<{ found: Recovered; outcome: RunOutcome }> {
    const next = await LaunchScenario.create({}, scenario.folder);
    const found = await next.launcher.recover(runId, 1);
    const attempt = found === 'neverStarted' ? 2 : 1;
    if (attempt === 2) await next.launcher.start(scenario.launch('appending', 'Appends', { runId, attempt }));
    const { outcome } = await followAttempt(next.launcher, runId, attempt);
    assert.equal(await next.launcher.recover(runId, attempt), 'ended');
    assert.deepEqual(findStrays(`${runId}.1`), []);
    return { found, outcome };
  }

  async function assertOnce(runId: string, expected: readonly Recovered[]): Promise<void> {
    const { found, outcome } = await goOn(runId);
    assert.ok(expected.includes(found), found);
    assert.equal(outcome.state, 'succeeded', JSON.stringify(outcome.findings));
    assert.equal(appended(), 1);
  }

  it('before it spawned the worker: none was begun', async () => {
    const { runId, child } = starter('is prepared');
    await once(child, 'exit');
    await assertOnce(runId, ['neverStarted']);
  });

  it('before it sent the request: none was begun and none can', async () => {
    const { runId, child } = starter('waits for its run');
    await once(child, 'exit');
    await assertOnce(runId, ['neverStarted']);
  });

  it('in the very moment of the spawn', async () => {
    const python = join(scenario.work, 'python-that-strikes');
    writeFileSync(python, `#!/bin/sh\nkill -9 $PPID\nexec ${luigiPython()} "$@"\n`, { mode: 0o755 });
    const { runId, child } = starter('', { python: { path: python, version: '3.13.0', luigiVersion: '3.8.1' } });
    await once(child, 'exit');
    await assertOnce(runId, ['neverStarted', 'alive', 'ended']);
  });

  it('before the worker claimed its run: the late worker finds the claim taken', async () => {
    const python = join(scenario.work, 'python-that-waits');
    writeFileSync(
      python,
      `#!/bin/sh\ntrap '' TERM\ntouch waiting\nwhile [ ! -e go ]; do sleep 0.02; done\nexec ${luigiPython()} "$@"\n`,
      { mode: 0o755 },
    );
    const { runId, child } = starter('', { python: { path: python, version: '3.13.0', luigiVersion: '3.8.1' } });
    await until(() => existsSync(join(scenario.work, 'waiting')));
    // The request is on its way when the launcher has recorded the supervisor; then it only waits for the claim.
    const record = join(scenario.runsDirectory, 'records', `${runId}.1.attempt.json`);
    await until(() => readFileSync(record, 'utf8').includes('"supervisor"'));
    await killed(child);
    const next = await LaunchScenario.create({}, scenario.folder);
    const recovering = next.launcher.recover(runId, 1);
    await until(() => existsSync(claimOf(runId)));
    // It is deaf to SIGTERM and wakes up before it is killed.
    writeFileSync(join(scenario.work, 'go'), '');
    assert.equal(await recovering, 'neverStarted');
    assert.match(readFileSync(claimOf(runId), 'utf8'), /"revoked":true/);
    assert.equal(appended(), 0);
    await assertOnce(runId, ['neverStarted']);
  });

  it('while the worker begins, at whatever time', async () => {
    for (const ms of [60, 90, 120, 160]) {
      const before = appended();
      const { runId, child } = starter();
      const exit = once(child, 'exit');
      await until(() => existsSync(scenario.attemptFolder(runId)) || child.exitCode !== null);
      await new Promise((resolve) => setTimeout(resolve, ms));
      child.kill('SIGKILL');
      await exit;
      const { outcome } = await goOn(runId);
      assert.equal(outcome.state, 'succeeded', JSON.stringify(outcome.findings));
      assert.equal(appended() - before, 1);
    }
  });

  it('after the claim', async () => {
    const { runId, child, said } = starter('', { parameters: { seconds: 0.5 } });
    await said;
    await killed(child);
    await assertOnce(runId, ['alive']);
  });

  it('while the task runs', async () => {
    const { runId, child } = starter('', { parameters: { seconds: 0.5 } });
    await until(() => appended() === 1);
    await killed(child);
    await assertOnce(runId, ['alive']);
  });

  it('after the end', async () => {
    const { runId, child } = starter();
    await until(() => existsSync(join(scenario.attemptFolder(runId), 'exit.json')));
    await killed(child);
    await until(() => findStrays(`${runId}.1`).length === 0);
    await assertOnce(runId, ['ended']);
  });

  it('the next process can stop the run', async () => {
    const { runId, child } = starter('', { parameters: { seconds: 3_600 } });
    await until(() => appended() === 1);
    await killed(child);
    const next = await LaunchScenario.create({}, scenario.folder);
    assert.equal(await next.launcher.recover(runId, 1), 'alive');
    assert.equal(await next.launcher.stop(runId, 1, 'deadline'), 'stopped');
    assert.equal((await followAttempt(next.launcher, runId)).outcome.state, 'deadline');
    assert.deepEqual(findStrays(`${runId}.1`), []);
  });

  it('the next process takes no other process for the supervisor', async () => {
    const { runId, child } = starter('', { parameters: { seconds: 3_600 } });
    await until(() => appended() === 1);
    await killed(child);
    const path = join(scenario.runsDirectory, 'records', `${runId}.1.attempt.json`);
    const record = JSON.parse(readFileSync(path, 'utf8'));
    const supervisor = record.supervisor.pid;
    const bystander = spawn('sleep', ['3600'], { stdio: 'ignore' });
    try {
      // As if the pid had been given to somebody else since.
      writeFileSync(path, JSON.stringify({ ...record, supervisor: { ...record.supervisor, pid: bystander.pid } }));
      const next = await LaunchScenario.create({}, scenario.folder);
      assert.equal(await next.launcher.recover(runId, 1), 'lost');
      assert.equal(await next.launcher.stop(runId, 1, 'cancelled'), 'stopped');
      assert.equal(bystander.exitCode ?? bystander.signalCode, null);
      // The run itself was ended by its mark: nothing goes on beside what comes next.
      assert.deepEqual(findStrays(`${runId}.1`), []);
      await until(() => !existsSync(`/proc/${supervisor}/exe`));
    } finally {
      bystander.kill('SIGKILL');
    }
  });

  for (const [what, spoil] of Object.entries({
    gone: (path: string) => rmSync(path),
    garbled: (path: string) => writeFileSync(path, '{"runId":'),
    'of another run': (path: string) =>
      writeFileSync(path, readFileSync(path, 'utf8').replace(/"runId":"./, '"runId":"x')),
  })) {
    it(`and the record of the attempt is ${what}: nothing goes on beside what comes next`, async () => {
      const { runId, child } = starter('', { parameters: { seconds: 3_600 } });
      await until(() => appended() === 1);
      await killed(child);
      spoil(join(scenario.runsDirectory, 'records', `${runId}.1.attempt.json`));
      const next = await LaunchScenario.create({}, scenario.folder);
      assert.equal(await next.launcher.recover(runId, 1), 'lost');
      assert.deepEqual(findStrays(`${runId}.1`), []);
      assert.throws(() => next.launcher.follow(runId, 1, new AbortController().signal), { code: 'ERR_RUN_LOST' });
    });
  }

  it('a pid of before the machine was switched on is nobody', async () => {
    const { runId, child } = starter('', { parameters: { seconds: 3_600 } });
    await until(() => appended() === 1);
    await killed(child);
    const path = join(scenario.runsDirectory, 'records', `${runId}.1.attempt.json`);
    writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), boot: 'another' }));
    const next = await LaunchScenario.create({}, scenario.folder);
    assert.equal(await next.launcher.recover(runId, 1), 'lost');
  });
});

describe('a run whose processes are killed', () => {
  let scenario: LaunchScenario;

  beforeEach(async () => {
    scenario = await LaunchScenario.create();
  });
  afterEach(() => scenario.close());

  async function running(): Promise<{ runId: string; supervisor: number; worker: number }> {
    const runId = await scenario.start('appending', 'Appends', { parameters: { seconds: 3_600 } });
    await until(() => existsSync(join(scenario.work, 'appended')));
    const { pid } = JSON.parse(readFileSync(join(scenario.attemptFolder(runId), 'claim.json'), 'utf8'));
    return { runId, supervisor: pid, worker: childrenOf(pid)[0] as number };
  }

  it('is lost without its supervisor, and nothing of it is left', async () => {
    const { runId, supervisor } = await running();
    const following = followAttempt(scenario.launcher, runId);
    process.kill(supervisor, 'SIGKILL');
    const { outcome } = await following;
    assert.equal(outcome.state, 'lost');
    assert.deepEqual(
      outcome.findings.map(({ code }) => code),
      ['ERR_RUN_LOST'],
    );
    assert.deepEqual(findStrays(`${runId}.1`), []);
    assert.equal(await scenario.launcher.recover(runId, 1), 'lost');
    assert.equal(await scenario.launcher.stop(runId, 1, 'cancelled'), 'stopped');
    assert.deepEqual((await followAttempt(scenario.launcher, runId)).outcome, outcome);
  });

  it('died without its worker', async () => {
    const { runId, worker } = await running();
    process.kill(worker, 'SIGKILL');
    const { outcome } = await followAttempt(scenario.launcher, runId);
    assert.equal(outcome.state, 'failed');
    assert.equal(outcome.findings[0]?.code, 'ERR_RUN_DIED');
    assert.equal(await scenario.launcher.recover(runId, 1), 'ended');
  });

  it('can be stopped when nothing can be written down', async () => {
    const { runId } = await running();
    const records = join(scenario.runsDirectory, 'records');
    // A folder in the place of the file: what a full disk does to the writing.
    for (const part of ['stop', 'end']) mkdirSync(join(records, `${runId}.1.${part}.json.part`));
    assert.equal(await scenario.launcher.stop(runId, 1, 'cancelled'), 'stopped');
    assert.deepEqual(findStrays(`${runId}.1`), []);
    assert.equal((await followAttempt(scenario.launcher, runId)).outcome.state, 'cancelled');
  });

  it('is stopped without its supervisor when it was to be stopped', async () => {
    const { runId, supervisor } = await running();
    process.kill(supervisor, 'SIGSTOP');
    const stopping = scenario.launcher.stop(runId, 1, 'cancelled');
    process.kill(supervisor, 'SIGKILL');
    assert.equal(await stopping, 'stopped');
    const { outcome } = await followAttempt(scenario.launcher, runId);
    assert.equal(outcome.state, 'cancelled');
  });
});
