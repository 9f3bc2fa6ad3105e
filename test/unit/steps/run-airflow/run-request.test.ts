import assert from 'node:assert/strict';
import { stepRunName } from '#lineage/describe-lineage.ts';
import type { RunAirflowInputs } from '#steps/run-airflow/inputs.ts';
import { pipelineLine, roomForNote, runNote } from '#steps/run-airflow/run-note.ts';
import { runRequest } from '#steps/run-airflow/run-request.ts';
import { sampleProvenance } from '../../../support/sample-run.ts';

const NAMES = { key: 'plumbline-1', sharedId: 'shared-1' };
const INPUTS: RunAirflowInputs = {
  connection: {
    id: 'c',
    url: 'https://airflow.example.com',
    scheme: 'None',
    parameter: () => undefined,
    data: () => undefined,
  },
  dagId: 'daily',
  credential: undefined,
  conf: { rows: 3 },
  logicalDate: undefined,
  note: undefined,
  unpause: false,
  wait: true,
  results: [],
  onExistingRun: 'adopt',
  dagVersion: undefined,
  queuedMs: 0,
  timeoutMs: undefined,
  failOnTaskFailure: false,
  lineage: 'run',
  lineageNamespace: 'default',
  calledBy: undefined,
};
const provenance = sampleProvenance();
const request = (more: Partial<RunAirflowInputs> = {}) => runRequest({ ...INPUTS, ...more }, provenance, NAMES);

describe('the run that RunAirflow@1 asks for', () => {
  it('names the pipeline run on the other side, and no person', () => {
    const { note = '', origin } = request();
    assert.ok(note.includes(provenance.run.url) && note.includes('[shared-1]'), note);
    assert.deepEqual(
      [origin['sharedId'], origin['runId'], origin['commit']],
      ['shared-1', provenance.run.id, provenance.source.commit],
    );
    const person = provenance.requestedFor?.name;
    assert.ok(person);
    assert.ok(!JSON.stringify(request()).includes(person));
  });

  it('has the step for a parent, and for a root what called the pipeline', () => {
    const step = stepRunName(provenance, 'plumbline-1');
    assert.deepEqual(request().openLineage, {
      parentRunId: step.runId,
      parentJobNamespace: step.job.namespace,
      parentJobName: step.job.name,
      rootParentRunId: step.runId,
      rootParentJobNamespace: step.job.namespace,
      rootParentJobName: step.job.name,
    });
    const parent = { runId: 'p', job: { namespace: 'prod', name: 'watch.queue' } };
    const root = { runId: 'r', job: { namespace: 'prod', name: 'watch' } };
    const called = request({ calledBy: { sharedId: 's', parent, root, caller: {} } }).openLineage;
    assert.deepEqual(
      [called?.['parentRunId'], called?.['rootParentRunId'], called?.['rootParentJobName']],
      [step.runId, 'r', 'watch'],
    );
  });

  it('tells the provider nothing without lineage', () => {
    assert.equal(request({ lineage: 'none' }).openLineage, undefined);
  });

  it('keeps the note of the author above its own line, and both within what Airflow keeps', () => {
    const line = pipelineLine(provenance, 'shared-1');
    const note = 'x'.repeat(roomForNote(line));
    assert.equal(request({ note }).note, `${note}\n${line}`);
    assert.ok(runNote(note, line).length + 100 <= 1_000);
    const names = {
      ...provenance,
      run: { ...provenance.run, name: 'n\n'.repeat(500), url: `https://x/${'y'.repeat(2_000)}` },
    };
    const long = pipelineLine(names, 'shared-1');
    assert.ok(roomForNote(long) > 300 && !long.includes('\n'), long);
  });
});
