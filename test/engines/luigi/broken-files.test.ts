import assert from 'node:assert/strict';
import { existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Secret } from '#core/secret.ts';
import { cleanUpLuigiRun, findLuigiRun } from '#engines/luigi/clean-up.ts';
import { RunDirectory } from '#engines/luigi/run-directory.ts';
import { findStrays } from '#engines/luigi/stray-processes.ts';

import { followToEnd, LuigiScenario, untilStatus } from '../../support/luigi-scenario.ts';

const signal = new AbortController().signal;
const ME = { pid: process.pid, started: '1' };
const RECORD = { id: 'a', attempt: '1.1', module: 'm', task: 'T', startedAt: 1, owner: ME };

/** What user code, a full disk or somebody else may have made of a file of ours. */
const BROKEN: Readonly<Record<string, (path: string) => void>> = {
  'a folder': (path) => mkdirSync(path),
  'a link to itself': (path) => symlinkSync(path, path),
  empty: (path) => writeFileSync(path, ''),
  'cut short': (path) => writeFileSync(path, '{"id": "a", "ow'),
  'an object of something else': (path) => writeFileSync(path, '{"reason": 1, "owner": {"pid": 0}, "code": "0"}'),
  null: (path) => writeFileSync(path, 'null'),
  'too long to be ours': (path) => writeFileSync(path, JSON.stringify({ ...RECORD, code: 0, x: 'x'.repeat(2 ** 21) })),
};

describe('the files of a Luigi run that cannot be read', function () {
  this.timeout(60_000);
  let scenario: LuigiScenario;
  beforeEach(async () => {
    scenario = await LuigiScenario.create();
  });
  afterEach(() => scenario.close());

  function replace(handle: string, name: string, spoil: (path: string) => void): void {
    rmSync(join(handle, name), { recursive: true, force: true });
    spoil(join(handle, name));
  }

  for (const [what, spoil] of Object.entries(BROKEN)) {
    it(`say nothing: ${what}`, () => {
      const directory = RunDirectory.of(scenario.runsDirectory, 'a');
      assert(directory.claim(RECORD));
      assert.deepEqual(directory.record(), RECORD);
      for (const name of ['run.json', 'exit.json', 'stop.json']) replace(directory.path, name, spoil);
      const read = [directory.record(), directory.exitRecord(), directory.stopReason()];
      assert.deepEqual(read, [undefined, undefined, undefined]);
    });
  }

  it('do not keep a stop from being remembered', () => {
    const directory = RunDirectory.of(scenario.runsDirectory, 'a');
    directory.claim(RECORD);
    replace(directory.path, 'stop.json', (path) => mkdirSync(join(path, 'deep'), { recursive: true }));
    directory.rememberStop('deadline');
    assert.equal(directory.stopReason(), 'deadline');
  });

  it('leave a run lost, never green, to whoever looks at it', async () => {
    const { ref } = await scenario.run('Good');
    replace(ref.handle, 'exit.json', (path) => mkdirSync(path));
    const { outcome } = await followToEnd(scenario.engineOf(), ref);
    assert.deepEqual([outcome.state, outcome.findings[0]?.code], ['lost', 'ERR_RUN_LOST'], outcome.summary);
  });

  for (const [what, spoil] of Object.entries(BROKEN)) {
    it(`do not keep the clean-up from ending processes and removing secrets: run.json is ${what}`, async () => {
      const request = scenario.request('Hung', { secretFiles: { KEY_FILE: new Secret('canary-55aa') } });
      const ref = await scenario.engine.start(request, signal);
      await untilStatus(scenario.engine, ref);
      replace(ref.handle, 'run.json', spoil);
      assert.ok(existsSync(join(ref.handle, 'secrets', 'KEY_FILE')));
      const handle = findLuigiRun(scenario.runsDirectory, basename(ref.id));
      assert.equal(handle, ref.handle);
      const { found, left } = await cleanUpLuigiRun(ref.handle);
      assert.ok(found >= 3, `${found}`);
      assert.equal(left, 0);
      assert.deepEqual(findStrays(ref.id), []);
      assert.ok(!existsSync(join(ref.handle, 'secrets')));
    });
  }

  it('are not looked for where no run was', async () => {
    assert.equal(findLuigiRun(scenario.runsDirectory, 'none'), undefined);
    const gone = join(scenario.runsDirectory, 'none');
    assert.deepEqual(await cleanUpLuigiRun(gone), { stopped: false, found: 0, left: 0 });
  });

  it('are told of when secrets among them cannot be removed', async () => {
    const ref = await scenario.engine.start(scenario.request('Hung'), signal);
    await untilStatus(scenario.engine, ref);
    const following = followToEnd(scenario.engine, ref);
    const pid = new RunDirectory(ref.handle).record()?.supervisor?.pid ?? 0;
    renameSync(ref.handle, `${ref.handle}.moved`);
    symlinkSync(ref.handle, ref.handle);
    process.kill(pid, 'SIGTERM');
    const { outcome } = await following;
    await assert.rejects(cleanUpLuigiRun(ref.handle), /symbolic links/);
    assert.deepEqual(findStrays(ref.id), []);
    assert.deepEqual([outcome.state, outcome.findings[0]?.code], ['lost', 'ERR_RUN_LOST'], outcome.summary);
    const finding = outcome.findings.find(({ message }) => /secrets/.test(message));
    assert.match(finding?.message ?? '', /^The secrets of the run could not be removed from .*: .*symbolic links/);
  });
});
