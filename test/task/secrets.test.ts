import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { codesOf, JobFolder, type JobRun, messagesOf } from '../support/agent-job-run.ts';
import { leaksOf, type Place, textsBelow } from '../support/leaks.ts';
import { sampleDeclaration } from '../support/local-azure.ts';
import { commandLines } from '../support/run-processes.ts';

const SECRETS = {
  parameter: 'canary+parameter/9Xk2=&?7Ld',
  quoted: `canary "quoted" 'single' \\back\\slash <b>&amp; grün 4Vn6`,
  address: 'https://canary:p%40ss-3Ld8@db.example:5432/tables?sslmode=require&token=8Qw1',
  encoded: Buffer.from('canary in base64 already 2Hm5 ÿþ').toString('base64'),
  lines: 'canary line one 7Pq1\r\n  indented "line" two: 5Ty9\r\n\r\ncanary line three 1Zs4\r\n',
  document: JSON.stringify(
    { user: 'canary-user-6Bn3', password: 'canary\tpäss "w" 0Rf7', list: ['canary-item-9Gj2'] },
    null,
    2,
  ),
};
const BINDINGS = [
  'parameters.password: parameter',
  'QUOTED: quoted',
  'ADDRESS: address',
  'ENCODED: encoded',
  'LINES: lines',
  'files.DOCUMENT: document',
].join('\n');
const PLACES = ['says', 'raises', 'output', 'requires', 'complete'] as const;

describe('RunLuigi@1: canary secrets', function () {
  this.timeout(120_000);
  let folder: JobFolder;
  const vault = { azureSubscription: 'azure', keyVault: 'canaries', secrets: BINDINGS };
  const argv = new Set<string>();
  /** What lies below the folders of the agent, and in the temporary folder of the machine, after an entry of the job. */
  const left = new Map<string, readonly Place[]>();
  let run: JobRun;

  before(async () => {
    folder = new JobFolder();
    const sample = sampleDeclaration();
    const inputs = { module: 'leaky_places', task: 'Root', taskIdentity: 'connection', ...vault };
    const steps = PLACES.map((place) =>
      folder.luigi(place, { ...inputs, parameters: JSON.stringify({ places: [place] }) }),
    );
    const hidden = folder.luigi('hidden', { ...inputs, task: 'Hidden' });
    const sampling = setInterval(() => {
      for (const line of commandLines()) argv.add(line);
    }, 20);
    try {
      run = await folder.run({
        steps: [...steps, hidden],
        azure: {
          ...sample,
          vaults: [...(sample.vaults ?? []), { name: 'canaries', secrets: SECRETS }],
          roleAssignments: [
            ...(sample.roleAssignments ?? []),
            { identity: 'workflows', role: 'Key Vault Secrets User', vault: 'canaries' },
          ],
        },
        onEvent: (event, agent) => {
          if (event.kind !== 'step-ended' || agent === '') return;
          const skip = (name: string) => name.startsWith('_tasks/');
          left.set(event.record.displayName, [...textsBelow(agent, skip), ...textsBelow(folder.temp)]);
        },
      });
    } finally {
      clearInterval(sampling);
    }
  });

  after(() => folder.remove());

  /** As spelled here, and as Python spelled them. */
  const leaks = (places: readonly Place[]) =>
    leaksOf(Object.values(SECRETS), places, JSON.parse(readFileSync(folder.file('says', 'said.json'), 'utf8')));

  it('reach the tasks, which then behave as they should', () => {
    assert.equal(run.step('says').result, 'Succeeded', run.log);
    assert.equal(run.step('output').result, 'Succeeded');
    for (const place of ['raises', 'requires', 'complete']) assert.equal(run.step(place).result, 'Failed', place);
    assert.match(messagesOf(run.step('raises')).join('\n'), /RuntimeError: \*\*\*/);
    assert.ok(run.log.split('***').length > 200, 'what was said was masked, not lost');
  });

  it('are in no log, report, summary, lineage or issue', () => {
    assert.deepEqual(leaks(run.texts), []);
    for (const place of PLACES) {
      assert.equal(run.texts.filter(({ place: name }) => name.includes(`.${place}.`)).length, 2, 'report and lineage');
      assert.deepEqual(leaks(run.step(place).issues.map(({ message }) => ({ place, text: message }))), []);
    }
  });

  it('are in no task id, output variable or row of the step', () => {
    for (const place of PLACES) {
      const { outputs, details } = run.step(place);
      const texts = [
        ...[...outputs.values()].map(({ value }) => value),
        ...[...details.values()].map(({ name }) => name),
      ];
      assert.ok(texts.length > 8);
      assert.deepEqual(leaks(texts.map((text) => ({ place, text }))), []);
    }
  });

  it('are in no argument of any process of the machine', () => {
    assert.ok(
      [...argv].some((line) => line.includes('plumbline_luigi')),
      'the worker was seen',
    );
    assert.deepEqual(leaks([...argv].map((text) => ({ place: 'argv', text }))), []);
  });

  for (const place of PLACES) {
    it(`${place}: no file that a step leaves behind holds one, nor a token`, () => {
      const files = left.get(place) ?? [];
      assert.ok(
        files.some(({ place: name }) => name.endsWith('events.jsonl')),
        'event files were looked at',
      );
      assert.deepEqual(leaks(files), []);
      const tokens = files.filter(({ text }) => /eyJ[\w-]{5}/.test(text)).map(({ place: name }) => name);
      assert.deepEqual(tokens, []);
    });
  }

  it('go to no parameter that is not PRIVATE: refused before the start, with the line that mends it', () => {
    const step = run.step('hidden');
    assert.equal(step.result, 'Failed');
    assert.deepEqual(codesOf(step), ['ERR_SECRET_PARAMETER_PUBLIC']);
    assert.match(
      messagesOf(step).join('\n'),
      /password[\s\S]*visibility=luigi\.parameter\.ParameterVisibility\.PRIVATE/,
    );
    assert.equal(existsSync(folder.file('hidden', 'out')), false);
  });
});
