import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { codesOf, JobFolder, type JobRun, messagesOf } from '../support/agent-job-run.ts';
import { sampleDeclaration } from '../support/local-azure.ts';
import { TASK_NODE } from '../support/local-pipeline.ts';

const WORD = '##vso[task.setvariable variable=STOLEN]##[error]stolen';
const OUTPUTS = [
  'gatewayRunId',
  'lineageFile',
  'reportFile',
  'rootTaskId',
  'runId',
  'runState',
  'runUrl',
  'tasksFailed',
  'tasksTotal',
];

// The same on Node 20; what differs there is in identity, network and secrets.
if (TASK_NODE === '24') {
  describe('RunLuigi@1: logging commands in what a task says', function () {
    this.timeout(120_000);
    let folder: JobFolder;
    let run: JobRun;

    before(async () => {
      folder = new JobFolder();
      const inputs = (task: string) => ({ module: 'commands', task, parameters: JSON.stringify({ word: WORD }) });
      const restricted = { commands: 'restricted', settableVariables: 'none' };
      run = await folder.run({
        steps: [
          folder.luigi('speaks', inputs('Speaks')),
          folder.luigi('raises', inputs('Raises')),
          folder.luigi('asks', inputs('Asks')),
          folder.luigi('restricted', inputs('Speaks'), { target: restricted }),
          {
            bash: `printf '%s|%s' "$PATH" "$STOLEN" > '${folder.file('speaks', 'afterwards')}'`,
            condition: 'always()',
          },
        ],
        azure: sampleDeclaration(),
      });
    });

    after(() => folder.remove());

    for (const step of ['speaks', 'raises', 'asks', 'restricted']) {
      it(`${step}: nothing is carried out, and nothing even looks like a command`, () => {
        const { log } = run;
        assert.doesNotMatch(
          log,
          /contains logging command keyword|is not allowed in this step|Unable to process command/,
        );
        const { outputs } = run.step(step);
        assert.deepEqual(
          [...outputs.keys()].filter((name) => !OUTPUTS.includes(name)),
          [],
        );
        for (const { message } of run.step(step).issues) assert.doesNotMatch(message, /##(vso)?\[/i);
      });
    }

    it('a good run stays good, without an issue', () => {
      assert.equal(run.step('speaks').result, 'Succeeded', run.log);
      assert.deepEqual(run.step('speaks').issues, []);
      assert.equal(run.step('speaks').outputs.get('runState')?.value, 'succeeded');
    });

    it('a failed run stays failed, with its own issues only', () => {
      for (const [step, codes] of [
        ['raises', ['ERR_RUN_FAILED', 'ERR_RUN_FAILED']],
        ['asks', ['ERR_RUN_SCHEDULING', 'ERR_RUN_SCHEDULING']],
      ] as const) {
        assert.equal(run.step(step).result, 'Failed', run.log);
        assert.deepEqual(codesOf(run.step(step)), codes, messagesOf(run.step(step)).join('\n'));
      }
    });

    it('sets no variable, path, tag, secret or build number of the run', () => {
      const [path, stolen] = readFileSync(folder.file('speaks', 'afterwards'), 'utf8').split('|');
      assert.equal(stolen, '');
      assert.doesNotMatch(path ?? '', /stolen/);
      assert.deepEqual(
        Object.keys(run.report.variables).filter((name) => /stolen/i.test(name)),
        [],
      );
      assert.deepEqual([...run.report.tags].sort(), ['luigi', 'plumbline:failed', 'plumbline:succeeded']);
      assert.match(run.log, /Speaks/, 'the name of the task is masked nowhere');
    });

    it('reaches the log in a form that no reader of it takes for a command', () => {
      const lines = run.log.split('\n').filter((line) => /stolen/i.test(line));
      assert.ok(lines.length > 300, `${lines.length} lines`);
      // What the agent writes before an issue of ours is its own.
      for (const line of lines.map((text) => text.replace(/^\S+ ##\[error\](?=Raises\(|Asks\()/, '')))
        assert.doesNotMatch(
          line,
          /#[\p{Cc}\p{Cf}]*#([\p{Cc}\p{Cf}]*v[\p{Cc}\p{Cf}]*s[\p{Cc}\p{Cf}]*o)?[\p{Cc}\p{Cf}]*\[/iu,
        );
    });

    it('publishes all there is, also where commands are restricted and no variable may be set', () => {
      const step = run.step('restricted');
      assert.equal(step.result, 'Succeeded', run.log);
      for (const name of ['speaks', 'raises', 'restricted']) {
        const kinds = run.texts.filter(({ place }) => place.includes(`.${name}.`) || place.includes(`(${name})`));
        assert.deepEqual(kinds.map(({ place }) => place.split('/')[0]).sort(), [
          'Distributedtask.Core.Summary',
          'plumbline-lineage',
          'plumbline-report',
        ]);
      }
    });
  });
}
