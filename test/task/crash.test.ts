import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { JobFolder, type JobRun } from '../support/agent-job-run.ts';
import { leaksOf, type Place, textsBelow } from '../support/leaks.ts';
import { sampleDeclaration } from '../support/local-azure.ts';
import { TASK_NODE } from '../support/local-pipeline.ts';
import { isAlive } from '../support/run-processes.ts';

const SECRETS = {
  variable: 'canary-of-the-variable-9Xk2',
  file: 'canary first line 7Pq1\ncanary second line 3Ld8',
  parameter: 'canary-of-the-parameter-4Vn6',
};
const INPUTS = {
  module: 'kills_step',
  task: 'AtOnce',
  azureSubscription: 'azure',
  keyVault: 'canaries',
  secrets: 'VALUE: variable\nfiles.KEY: file\nparameters.password: parameter',
  taskIdentity: 'connection',
};
const AT_MOST_S = 5;

// The same on Node 20; what differs there is in identity, network and secrets.
if (TASK_NODE === '24') {
  describe('RunLuigi@1: a step that is killed by SIGKILL', function () {
    this.timeout(120_000);
    let folder: JobFolder;
    let run: JobRun;
    /** What lies in the temporary folder of the job, by the entry of the job after which it was looked at. */
    const left = new Map<string, readonly Place[]>();

    before(async () => {
      folder = new JobFolder();
      const sample = sampleDeclaration();
      const pidFile = folder.file('crashed', 'sleeper.pid');
      run = await folder.run({
        steps: [
          folder.luigi('crashed', INPUTS),
          { bash: waitFor(pidFile), displayName: 'wait', condition: 'always()' },
          folder.luigi('again', { ...INPUTS, parameters: 'once: true' }, { retryCountOnTaskFailure: 1 }),
        ],
        azure: {
          ...sample,
          vaults: [...(sample.vaults ?? []), { name: 'canaries', secrets: SECRETS }],
          roleAssignments: [
            ...(sample.roleAssignments ?? []),
            { identity: 'workflows', role: 'Key Vault Secrets User', vault: 'canaries' },
          ],
        },
        onEvent: (event, agent) => {
          if (event.kind === 'step-ended' && agent !== '')
            left.set(event.record.displayName, textsBelow(join(agent, '_temp')));
        },
      });
    });

    after(() => folder.remove());

    it('fails, and was really killed', () => {
      assert.equal(run.step('crashed').result, 'Failed');
      assert.match(run.log, /Exit code 128 returned from process/);
      const before = leaksOf(Object.values(SECRETS), left.get('crashed') ?? []);
      assert.ok(before.length > 0, 'its secret file was there when it died');
    });

    it(`ends its worker, with all it started, within ${AT_MOST_S} s by itself`, () => {
      assert.equal(run.step('wait').result, 'Succeeded', run.log);
      assert.equal(existsSync(folder.file('crashed', 'out/done.txt')), false);
    });

    it('runs again when it is tried again', () => {
      assert.equal(run.step('again').result, 'Succeeded', run.log);
      assert.equal(readFileSync(folder.file('again', 'runs.txt'), 'utf8'), 'run\nrun\n');
      assert.equal(isAlive(Number(readFileSync(folder.file('again', 'sleeper.pid'), 'utf8'))), false);
    });

    it('leaves no secret and no token of any attempt once the post-job stages have run', () => {
      assert.ok(left.has('Post-job: again'));
      assert.deepEqual(secretsIn(left.get('Post-job: crashed')), []);
    });

    it('shows no secret to anybody', () => {
      assert.deepEqual(leaksOf(Object.values(SECRETS), run.texts), []);
    });
  });
}

/** Canaries, and anything that looks like a token. */
function secretsIn(places: readonly Place[] = [{ place: 'nowhere', text: 'was not looked at: eyJ-------' }]): string[] {
  const tokens = places.filter(({ text }) => /eyJ[\w-]{5}/.test(text)).map(({ place }) => `${place}: a token`);
  return [...leaksOf(Object.values(SECRETS), places), ...tokens];
}

/** A script that fails unless this process has ended in time. */
function waitFor(pidFile: string): string {
  return `
    end=$((SECONDS + ${AT_MOST_S}))
    while kill -0 "$(cat '${pidFile}')" 2>/dev/null && [ "$(cut -d' ' -f3 /proc/$(cat '${pidFile}')/stat)" != Z ]; do
      [ $SECONDS -lt $end ] || exit 1
      sleep 0.05
    done`;
}
