import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cleanUpLuigiRun } from '#engines/luigi/clean-up.ts';
import { luigiAgent } from '#engines/luigi/luigi-agent.ts';
import { sendSignal } from '#engines/luigi/process-identity.ts';
import { RunDirectory } from '#engines/luigi/run-directory.ts';
import { findStrays } from '#engines/luigi/stray-processes.ts';
import { followRun } from '#run/follow-run.ts';
import {
  followToEnd,
  LuigiScenario,
  straysOnceThereAre,
  untilStatus,
  untilTask,
} from '../../support/luigi-scenario.ts';

const signal = new AbortController().signal;

describe('the processes of a Luigi run', function () {
  this.timeout(60_000);
  let scenario: LuigiScenario;
  beforeEach(async () => {
    scenario = await LuigiScenario.create();
  });
  afterEach(() => scenario.close());

  async function startHung(changes = {}) {
    const ref = await scenario.engine.start(scenario.request('Hung', changes), signal);
    await untilStatus(scenario.engine, ref);
    return { ref, supervisor: new RunDirectory(ref.handle).record()?.supervisor?.pid ?? 0 };
  }

  for (const workers of [1, 2]) {
    it(`are all gone within 5 s of a cancel, deaf daemons too (${workers} workers)`, async () => {
      const { ref } = await startHung({ workers });
      const { length } = await straysOnceThereAre(ref.id, (count) => count >= 4);
      assert.ok(length >= 4, `supervisor, worker, child and daemon, but there are ${length}`);
      const started = Date.now();
      assert.equal(await scenario.engine.cancel(ref, 'cancelled'), 'stopped');
      assert.ok(Date.now() - started < 5_000);
      assert.deepEqual(findStrays(ref.id), []);
      const { outcome } = await followToEnd(scenario.engine, ref);
      assert.deepEqual([outcome.state, outcome.findings.map(({ code }) => code)], ['cancelled', ['ERR_RUN_CANCELLED']]);
    });
  }

  it('are gone at the deadline, which names the task that hung', async () => {
    const ref = await scenario.engine.start(scenario.request('Hung'), signal);
    await untilStatus(scenario.engine, ref);
    const outcome = await followRun(scenario.engine, ref, { signal, timeoutMs: 200 });
    assert.equal(outcome.state, 'deadline');
    assert.match(outcome.findings[0]?.message ?? '', /its time was up while Hung\(name=step\) was running/);
    assert.equal(outcome.findings[0]?.code, 'ERR_RUN_DEADLINE');
    assert.deepEqual(findStrays(ref.id), []);
  });

  it('end with the worker when that is killed', async () => {
    const { ref, supervisor } = await startHung();
    const [worker] = childrenOf(supervisor);
    sendSignal(worker ?? 0, 'SIGKILL');
    const { outcome } = await followToEnd(scenario.engine, ref);
    assert.deepEqual([outcome.state, outcome.findings[0]?.code], ['failed', 'ERR_RUN_DIED']);
    assert.match(outcome.summary ?? '', /SIGKILL/);
    assert.deepEqual(findStrays(ref.id), []);
  });

  it('are lost, not failed, when the supervisor is killed; the last net ends them', async () => {
    const { ref, supervisor } = await startHung();
    sendSignal(supervisor, 'SIGKILL');
    const { outcome } = await followToEnd(scenario.engine, ref);
    assert.deepEqual([outcome.state, outcome.findings[0]?.code], ['lost', 'ERR_RUN_LOST']);
    assert.match(outcome.findings[0]?.remedy ?? '', /may still be going/);
    assert.equal(outcome.tasks[0]?.state, 'unknown');
    assert.ok(findStrays(ref.id).length > 0);
    const { stopped, found, left } = await cleanUpLuigiRun(ref.handle);
    assert.deepEqual([stopped, found > 0, left], [false, true, 0]);
    assert.deepEqual(findStrays(ref.id), []);
  });

  it('that a supervisor no longer ends are ended by the canceller', async () => {
    const { ref, supervisor } = await startHung();
    sendSignal(supervisor, 'SIGSTOP');
    assert.equal(await scenario.engine.cancel(ref, 'cancelled'), 'stopped');
    assert.deepEqual(findStrays(ref.id), []);
    assert.equal((await followToEnd(scenario.engine, ref)).outcome.state, 'cancelled');
  });

  it('can be cancelled from another process than the one that started them', async () => {
    const { ref } = await startHung();
    const other = scenario.engineOf();
    assert.equal(await other.cancel(ref, 'cancelled'), 'stopped');
    assert.equal((await followToEnd(other, ref)).outcome.state, 'cancelled');
    assert.equal((await followToEnd(scenario.engine, ref)).outcome.state, 'cancelled');
  });

  it('of a user who left a daemon do not hold up the end, and the clean-up ends them', async () => {
    const { ref, outcome } = await scenario.run('LeavesDaemon');
    assert.equal(outcome.state, 'succeeded', outcome.summary);
    assert.match(scenario.stdout.bytes.toString(), /before/);
    assert.equal(findStrays(ref.id).length, 1);
    assert.deepEqual(await cleanUpLuigiRun(ref.handle), { stopped: false, found: 1, left: 0 });
  });

  it('pass on what they print, byte by byte, but for commands', async () => {
    const { outcome } = await scenario.run('Noisy');
    assert.equal(outcome.state, 'succeeded', outcome.summary);
    const expected = [
      Buffer.from('bytes '),
      Buffer.from([0xff, 0xfe, 0x80]),
      Buffer.from(' and \r50 %\r100 %\n##vs o[task.setvariable variable=a]b and ##\r [error]\n'),
      Buffer.alloc(10 * 1024 * 1024, 'x'),
      Buffer.from('\n'),
    ];
    assert.ok(scenario.stdout.bytes.equals(Buffer.concat(expected)));
    assert.match(scenario.stderr.bytes.toString(), /in the middle ##VS O\[task\.complete/);
  });

  it('that may write no more are not green', async () => {
    const { outcome } = await scenario.run('FullDisk');
    assert.deepEqual([outcome.state, outcome.findings[0]?.code], ['failed', 'ERR_RUN_DIED'], outcome.summary);
  });

  it('on a disk that a task fills are not green', async () => {
    const disk = join(scenario.folder, 'disk');
    mkdirSync(disk);
    const isSmall = mountSmall(disk);
    try {
      const engine = scenario.engineOf(join(disk, 'runs'));
      // Whoever may not mount gets the limit of the test above.
      const request = scenario.request('FullDisk', { parameters: { folder: isSmall ? disk : '' } });
      const { outcome } = await followToEnd(engine, await engine.start(request, signal));
      assert.deepEqual([outcome.state, outcome.findings[0]?.code], ['failed', 'ERR_RUN_DIED'], outcome.summary);
      assert.equal(
        outcome.findings.some(({ code }) => code === 'ERR_RUN_UNVERIFIED'),
        isSmall,
      );
    } finally {
      if (isSmall) execFileSync('umount', ['-l', disk]);
    }
  });

  it('that never begin say so', async () => {
    const { outcome } = await scenario.run('Good', { environment: { PYTHONHOME: '/nonexistent' } });
    assert.deepEqual([outcome.state, outcome.findings[0]?.code], ['failed', 'ERR_RUN_DIED'], outcome.summary);
    assert.match(outcome.summary ?? '', /did not begin/);
  });

  it('survive that a follower leaves', async () => {
    const ref = await scenario.engine.start(scenario.request('Good', { parameters: { width: 5 } }), signal);
    await untilTask(scenario.engine, ref, 'Leaf', 'running');
    assert.equal((await followToEnd(scenario.engine, ref)).outcome.state, 'succeeded');
  });

  it('leave a folder that only its owner can enter, with events that only the owner can read', async () => {
    const { ref } = await scenario.run('Good');
    const modes = ['', 'events.jsonl', 'run.json'].map((name) => statSync(join(ref.handle, name)).mode & 0o777);
    assert.deepEqual(modes, [0o700, 0o600, 0o600]);
  });

  it('of a worker that speaks another protocol are stopped, and nothing is made of their words', async () => {
    const workerPath = join(scenario.folder, 'plumbline_luigi');
    mkdirSync(workerPath);
    writeFileSync(
      join(workerPath, '__main__.py'),
      `import json, sys, time
request = json.load(sys.stdin)
with open(request["eventsFile"], "a") as out:
    for e in ("hello", "bye"):
        out.write(json.dumps({"v": 2, "e": e, "at": 1, "pid": 1, "exitCode": 0}) + "\\n")
time.sleep(600)
`,
    );
    const output = { stdout: scenario.stdout, stderr: scenario.stderr };
    const engine = luigiAgent({ workerPath, runsDirectory: scenario.runsDirectory, output });
    const ref = await engine.start(scenario.request('Good'), signal);
    const { outcome } = await followToEnd(engine, ref);
    assert.deepEqual([outcome.state, outcome.findings[0]?.code], ['lost', 'ERR_WORKER_PROTOCOL'], outcome.summary);
    assert.deepEqual(findStrays(ref.id), []);
  });
});

function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return text === '' ? [] : text.split(' ').map(Number);
}

function mountSmall(folder: string): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
