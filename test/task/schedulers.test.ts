import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, type RunningLuigid } from '../../scripts/start-luigid.ts';
import { luigiPython, TASK_NODE } from '../support/local-pipeline.ts';
import { LuigiSteps } from '../support/luigi-steps.ts';
import { startLuigid } from '../support/luigid.ts';

const INPUT = { 'input.txt': 'rows' };
const IMPATIENT = { 'luigi.cfg': '[core]\nrpc-retry-attempts=1\nrpc-retry-wait=1\n' };

if (TASK_NODE === '24') {
  describe('RunLuigi@1: with a real luigid', () => {
    const folder = mkdtempSync(join(tmpdir(), 'plumbline-luigid-'));
    const stranger = createServer((_request, answer) => answer.end('<h1>It works!</h1>'));
    const luigids: RunningLuigid[] = [];
    let steps: Awaited<ReturnType<typeof stepsWith>>;

    async function stepsWith(luigid: RunningLuigid, dying: RunningLuigid) {
      const one = { scheduler: luigid.url };
      const four = { scheduler: luigid.url, workers: '4' };
      const { port } = stranger.address() as AddressInfo;
      const report = (day: string) => ({ module: 'good', task: 'Report', parameters: { day } });
      const late = { day: '2026-11-21', fan: 6 };
      return new LuigiSteps({
        withOne: { ...report('2026-11-20'), inputs: one, files: INPUT },
        withFour: { module: 'good', task: 'Report', parameters: late, inputs: four, after: 'withOne' },
        localFour: { module: 'good', task: 'Report', parameters: late, inputs: { workers: '4' }, files: INPUT },
        nothingToRun: { ...report('2026-11-20'), inputs: one, after: 'withOne' },
        failing: { module: 'failing', task: 'Root', inputs: one },
        failingWithFour: { module: 'many', task: 'Root', parameters: { n: 1 }, inputs: four },
        missing: { module: 'missing_external', task: 'Root', inputs: four },
        dies: {
          module: 'killers',
          task: 'Kills',
          parameters: { pid: dying.pid },
          inputs: { scheduler: dying.url },
          files: IMPATIENT,
        },
        nobody: { ...report('2026-11-20'), inputs: { scheduler: `http://127.0.0.1:${await freePort()}` } },
        stranger: { ...report('2026-11-20'), inputs: { scheduler: `http://127.0.0.1:${port}` } },
      });
    }

    before(async function () {
      this.timeout(120_000);
      for (const name of ['lasting', 'dying']) {
        luigids.push(await startLuigid(mkdtempSync(join(folder, name)), luigiPython()));
      }
      await once(stranger.listen(0, '127.0.0.1'), 'listening');
      const [lasting, dying] = luigids as [RunningLuigid, RunningLuigid];
      steps = await stepsWith(lasting, dying);
      await steps.run();
    });

    after(async () => {
      await Promise.all(luigids.map((luigid) => luigid.close()));
      stranger.close();
      steps?.remove();
      rmSync(folder, { recursive: true, force: true });
    });

    it('runs with one worker', () => {
      const { report, folder: work } = steps.succeeded('withOne');
      assert.deepEqual(report.counts, { done: 4, complete: 1 });
      assert.equal(readFileSync(join(work, 'out/report-2026-11-20.txt'), 'utf8'), '0 rows1 rows2 rows');
    });

    it('runs with four workers, what is there already apart', () => {
      const { report, folder: work } = steps.succeeded('withFour');
      assert.deepEqual(report.counts, { done: 4, complete: 4 });
      assert.equal(readFileSync(join(work, 'out/report-2026-11-21.txt'), 'utf8').split(' rows').length, 7);
    });

    it('makes the same as the local scheduler with four workers', () => {
      const { report, folder: work } = steps.succeeded('localFour');
      assert.deepEqual(report.counts, { done: 7, complete: 1 });
      const text = (place: string) => readFileSync(join(place, 'out/report-2026-11-21.txt'), 'utf8');
      assert.equal(text(work), text(steps.folderOf('withFour')));
    });

    it('is green when nothing had to run', () => {
      const { report } = steps.succeeded('nothingToRun');
      assert.match(report.run.summary ?? '', /already complete: nothing had to run/);
    });

    it('tells failed, missing and blocked tasks apart', () => {
      assert.deepEqual(steps.failed('failing').report.counts, { failed: 1, done: 1, blocked: 1 });
      assert.deepEqual(steps.failed('failingWithFour').report.counts, { failed: 1, missing: 1, blocked: 2 });
      const { report, said } = steps.failed('missing', [
        'ERR_RUN_MISSING_INPUT',
        'ERR_RUN_MISSING_INPUT',
        'ERR_RUN_NOT_RUN',
      ]);
      assert.deepEqual(report.counts, { missing: 1, blocked: 1 });
      assert.match(said, /Upload is an external input, and it is missing/);
    });

    it('that dies while a task runs: red although the task was done, and says what broke the run off', () => {
      const { said, codes } = steps.failed('dies');
      assert.equal(codes[0], 'ERR_RUN_FAILED', said);
      // Which call meets the dead end first, and with which error, is chance.
      assert.match(said, /The whole run was broken off by \w*Error: .+/);
    });

    for (const [name, why] of [
      ['nobody', /Connection refused|\[Errno 111\]/],
      ['stranger', /the answer is not a scheduler's/],
    ] as const) {
      it(`that is none (${name}) is named, with what to do`, () => {
        const { said, outputs } = steps.failed(name, ['ERR_SCHEDULER_UNREACHABLE']);
        assert.match(said, /The scheduler at http:\/\/127\.0\.0\.1:\d+ cannot be used/);
        assert.match(said, why);
        assert.match(said, /Check the input `scheduler` and that a luigid listens there, or use `local`\./);
        assert.equal(outputs['tasksTotal'], '0');
      });
    }
  });
}
