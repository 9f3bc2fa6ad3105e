import assert from 'node:assert/strict';
import { airflowNaming, openLineageConf } from '#lineage/airflow-naming.ts';
import { describeLineage, type LineageOptions, stepRunName } from '#lineage/describe-lineage.ts';
import type { RunEvent } from '#lineage/open-lineage.ts';
import { sampleProvenance, sampleTask, succeededRun } from '../../support/sample-run.ts';

const STEP = stepRunName(sampleProvenance(), 'plumbline-1');
const RUN = {
  namespace: 'prod',
  dagId: 'daily',
  instant: '2026-11-20T03:00:00.123456Z',
  state: 'success',
  conf: {},
};
const above = { parent: STEP, root: STEP };

/** Its last try, mapped or not. */
const instance = (id: string, attempts: number, mapIndex?: number) =>
  sampleTask(mapIndex === undefined ? id : `${id}[${mapIndex}]`, {
    family: id,
    attempts,
    parameters: mapIndex === undefined ? {} : { map_index: String(mapIndex) },
  });

describe('the names of a DAG run', () => {
  it("are those that Airflow's provider computes (ids made by openlineage-python 1.52 of the same text)", () => {
    const naming = airflowNaming(RUN, above);
    assert.deepEqual(naming.workflow, {
      runId: '01a1f6e5-87fb-744a-9e2c-04776ffd7a2a',
      job: { namespace: 'prod', name: 'daily' },
    });
    assert.deepEqual(naming.task(instance('load', 2)), {
      runId: '01a1f6e5-87fb-7a69-9c3b-0cd3ee48b9ba',
      job: { namespace: 'prod', name: 'daily.load' },
    });
    assert.equal(naming.task(instance('load', 1, 3))?.runId, '01a1f6e5-87fb-7848-993e-9318aebbc577');
  });

  it('keep the parent that the run was started with, also for a later attempt that only follows it', () => {
    const first = { runId: 'f'.repeat(8), job: { namespace: 'n', name: 'first attempt' } };
    const root = { runId: 'e'.repeat(8), job: { namespace: 'n', name: 'caller' } };
    const naming = airflowNaming({ ...RUN, conf: { openlineage: openLineageConf(first, root) } }, above);
    assert.deepEqual([naming.parent, naming.root], [first, root]);
  });

  it('take a group that is not whole for none, as the provider does', () => {
    const { rootParentJobName: _, ...half } = openLineageConf(STEP, STEP);
    for (const openlineage of [{ parentRunId: STEP.runId }, 'text', null, [], { parentRunId: 1 }]) {
      assert.deepEqual(airflowNaming({ ...RUN, conf: { openlineage } }, above).parent, STEP);
    }
    const other = { runId: 'a', job: { namespace: 'n', name: 'other' } };
    const naming = airflowNaming({ ...RUN, conf: { openlineage: half } }, { parent: other, root: other });
    assert.deepEqual([naming.parent, naming.root], [STEP, STEP]);
  });
});

describe('lineage under the names of the engine', () => {
  const eventsOf = (more: Partial<LineageOptions>, state = 'success') => {
    const tasks = [instance('extract', 1), instance('load', 2, 0)];
    const outcome = { ...succeededRun(), tasks, engine: { name: 'airflow', version: '3.3.2', adapterVersion: '1' } };
    const options = { runId: 'plumbline-1', workflow: 'daily', producerVersion: '0.1.0' };
    const naming = airflowNaming({ ...RUN, state }, above);
    return describeLineage(outcome, sampleProvenance(), { ...options, naming, ...more });
  };
  const find = (events: readonly RunEvent[], name: string, type: string) => {
    const event = events.find(({ eventType, job }) => eventType === type && job.name === name);
    assert.ok(event, `${type} ${name}`);
    return event;
  };
  const parentOf = (event: RunEvent) => {
    const { _producer, _schemaURL, ...fields } = event.run.facets['parent'] ?? {};
    return fields;
  };
  const named = ({ runId, job }: typeof STEP) => ({ run: { runId }, job });

  it('is one chain: the step, the DAG run, its tasks', () => {
    const { events, workflowRunId } = eventsOf({});
    const { workflow } = airflowNaming(RUN, above);
    assert.equal(workflowRunId, workflow.runId);
    assert.deepEqual(parentOf(find(events, 'daily', 'COMPLETE')), { ...named(STEP), root: named(STEP) });
    assert.deepEqual(parentOf(find(events, 'daily.load', 'COMPLETE')), { ...named(workflow), root: named(STEP) });
    assert.equal(find(events, STEP.job.name, 'COMPLETE').run.runId, STEP.runId);
  });

  it("says of the DAG's code nothing, which is not that of the pipeline", () => {
    const { events } = eventsOf({});
    for (const name of ['daily', 'daily.extract']) {
      const { jobType, sourceCodeLocation } = find(events, name, 'START').job.facets;
      assert.deepEqual([jobType?.['integration'], sourceCodeLocation], ['AIRFLOW', undefined]);
    }
    assert.ok(find(events, STEP.job.name, 'START').job.facets['sourceCodeLocation']);
  });

  it('ends as Airflow says, and not at all while nobody knows', () => {
    find(eventsOf({}, 'failed').events, 'daily', 'FAIL');
    const unknown = eventsOf({}, 'running').events.filter(({ job }) => job.name === 'daily');
    assert.deepEqual(
      unknown.map(({ eventType }) => eventType),
      ['START'],
    );
  });

  it('hangs below what called the pipeline', () => {
    const parent = { runId: '01a1ff76-8a8b-79be-b623-f59d9ef2630e', job: { namespace: 'prod', name: 'watch.queue' } };
    const root = { runId: '01a1ff76-8a8b-79be-b623-000000000000', job: { namespace: 'prod', name: 'watch' } };
    const naming = airflowNaming({ ...RUN, conf: { openlineage: openLineageConf(STEP, root) } }, above);
    const { events } = eventsOf({ calledBy: { parent, root }, naming });
    assert.deepEqual(parentOf(find(events, STEP.job.name, 'START')), { ...named(parent), root: named(root) });
    assert.deepEqual(parentOf(find(events, 'daily', 'START')), { ...named(STEP), root: named(root) });
    assert.deepEqual(parentOf(find(events, 'daily.load', 'START')), { ...named(naming.workflow), root: named(root) });
  });

  it('has the root of the caller under our own names too', () => {
    const root = { runId: '01a1ff76-8a8b-79be-b623-000000000000', job: { namespace: 'prod', name: 'watch' } };
    const { events } = eventsOf({ calledBy: { parent: root, root }, naming: undefined });
    const workflow = events.find(({ job }) => job.namespace.startsWith('azure-devops:') && job.name === 'daily');
    assert.ok(workflow);
    assert.deepEqual(parentOf(workflow), { ...named(STEP), root: named(root) });
  });
});
