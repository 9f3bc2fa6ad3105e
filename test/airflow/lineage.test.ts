import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runAirflowStep } from '../support/airflow/airflow-steps.ts';
import { airflowUnderTest } from '../support/airflow/airflow-under-test.ts';
import {
  type ExampleAirflow,
  exampleAirflow,
  OPENLINEAGE_NAMESPACE as NAMESPACE,
} from '../support/airflow/example-airflow.ts';
import { linesOf, type SeenLineage } from '../support/airflow/lineage-receiver.ts';
import { eventually } from '../support/eventually.ts';
import { hasOpenLineageSpecs, openLineageSchemas } from '../support/openlineage-schemas.ts';

const DAG = 'orders_reload';
const TASKS = ['load', 'none_left', 'total'].map((task) => `${DAG}.${task}`);
/** What a gateway says of the task of a DAG that queued this pipeline. */
const CALLER = {
  v: 1,
  sharedId: '01a1ff7a-0447-7aaa-9aaa-1645e2d6d55c',
  parent: { runId: '01a1ff7a-0447-70a3-9ce0-1645e2d6d55c', namespace: NAMESPACE, name: 'orders_watch.queue_pipeline' },
  root: { runId: '01a1ff7a-0447-7200-b097-5f498a34fa07', namespace: NAMESPACE, name: 'orders_watch' },
  caller: { issuer: 'cluster', subject: 'system:serviceaccount:airflow:retail-worker' },
};

describe("lineage with Airflow's own OpenLineage provider", function () {
  this.timeout(240_000);
  const folder = mkdtempSync(join(tmpdir(), 'plumbline-lineage-'));
  let example: ExampleAirflow;

  before(async () => {
    example = await exampleAirflow();
  });

  after(() => rmSync(folder, { recursive: true, force: true }));

  /** A run of the step, with its own events and those of the provider about the same DAG run. */
  async function lineageOf(name: string, inputs: Readonly<Record<string, string>>) {
    const file = join(folder, `${name}.jsonl`);
    const step = await runAirflowStep(example.airflow, {
      dag: DAG,
      inputs: { lineage: 'file', lineageNamespace: NAMESPACE, ...inputs },
      after: [{ bash: `cp "$(run.lineageFile)" '${file}'` }],
    });
    assert.equal(step.result, 'Succeeded', step.log);
    const own = linesOf(file);
    const dagRun = own.find(({ job }) => job.name === DAG);
    assert.ok(dagRun, 'the step says nothing of the DAG run');
    const provided = (events: readonly SeenLineage[]) => events.filter((event) => isBelow(event, dagRun, events));
    // The scheduler tells of the DAG run, workers of its tasks, in no order.
    const ended = (events: readonly SeenLineage[]) =>
      [DAG, ...TASKS].every((name) =>
        provided(events).some(({ eventType, job }) => eventType === 'COMPLETE' && job.name === name),
      );
    await eventually(
      () => ended(example.receiver.written) && ended(example.receiver.sent),
      'the provider tells of the end',
      30_000,
    );
    return { own, dagRun, written: provided(example.receiver.written), sent: provided(example.receiver.sent) };
  }

  it('tells one chain with the step: the same ids for the DAG run and its tasks, the step above them all', async () => {
    const { own, dagRun, written, sent } = await lineageOf('alone', {});
    const step = own.find(({ run }) => run.facets.parent === undefined);
    assert.ok(step, 'the step is the outermost run');
    assert.deepEqual(namesOf(sent), namesOf(written), 'by HTTP and to the file the same is told');
    assert.deepEqual(
      namesOf(own),
      [...namesOf([step]), `${NAMESPACE} ${DAG} ${dagRun.run.runId}`, ...TASKS.map(named(written))].sort(),
    );
    for (const event of [...own, ...written]) {
      if (event.run.runId !== step.run.runId) assert.equal(outermost(event), step.run.runId, event.job.name);
    }
    const start = written.find(({ job, eventType }) => job.name === DAG && eventType === 'START');
    assert.deepEqual(start?.run.facets.parent?.run, { ...start?.run.facets.parent?.run, runId: step.run.runId });
    assert.equal(start?.run.facets.parent?.job.name, step.job.name);
    assert.equal(start?.run.facets.parent?.job.namespace, step.job.namespace);
  });

  it('goes on from the DAG that queued the pipeline: its run is the root on both sides', async () => {
    const { own, written } = await lineageOf('called', { calledBy: JSON.stringify(CALLER) });
    const step = own.find(({ run }) => run.facets.parent?.run.runId === CALLER.parent.runId);
    assert.ok(step, 'the step comes from the task that queued it');
    assert.equal(step.run.facets.parent?.job.name, CALLER.parent.name);
    for (const event of [...own, ...written]) assert.equal(outermost(event), CALLER.root.runId, event.job.name);
    const [start] = written.filter(({ job, eventType }) => job.name === DAG && eventType === 'START');
    assert.equal(start?.run.facets.parent?.run.runId, step.run.runId);
  });

  it('tells it in events that fit the schemas of OpenLineage (needs ../shared/specs)', function () {
    if (!hasOpenLineageSpecs) this.skip();
    const schemas = openLineageSchemas();
    const told = [...example.receiver.written, ...example.receiver.sent].map(withoutAirflowsOwn);
    assert.ok(told.length > 10, `${told.length}`);
    assert.deepEqual(
      told.flatMap((event) => schemas.problems(event)),
      [],
    );
  });

  it('is told of written assets by the API where Airflow has no provider', async () => {
    const without = await airflowUnderTest();
    const file = join(folder, 'assets.jsonl');
    const step = await runAirflowStep(without, {
      dag: 'three',
      inputs: { lineage: 'file' },
      after: [{ bash: `cp "$(run.lineageFile)" '${file}'` }],
    });
    assert.equal(step.result, 'Succeeded', step.log);
    const written = linesOf(file).flatMap(({ outputs = [] }) => outputs.map(({ name }) => name));
    assert.ok(written.includes('/srv/orders.csv'), written.join());
  });
});

/** Whether it is the DAG run's or of a task below it, however deep (queries of a task are runs of their own). */
function isBelow(event: SeenLineage, dagRun: SeenLineage, all: readonly SeenLineage[]): boolean {
  const above = event.run.facets.parent?.run.runId;
  if (event.run.runId === dagRun.run.runId || above === dagRun.run.runId) return true;
  const parent = all.find(({ run }) => run.runId === above);
  return parent !== undefined && parent !== event && isBelow(parent, dagRun, all);
}

function outermost({ run }: SeenLineage): string | undefined {
  return run.facets.parent?.root?.run.runId ?? run.facets.parent?.run.runId;
}

/** Namespace, name and run id of every run, once. */
function namesOf(events: readonly SeenLineage[]): readonly string[] {
  return [...new Set(events.map(({ run, job }) => `${job.namespace} ${job.name} ${run.runId}`))].sort();
}

/** The run of a task as the provider names it. */
function named(events: readonly SeenLineage[]): (name: string) => string {
  return (name) => {
    const event = events.find(({ job }) => job.name === name);
    assert.ok(event, `the provider tells nothing of ${name}`);
    return `${event.job.namespace} ${name} ${event.run.runId}`;
  };
}

/** Facets of Airflow alone name no schema but that of facets as such. */
function withoutAirflowsOwn(event: SeenLineage): unknown {
  const standard = (facets: object | undefined) =>
    Object.fromEntries(
      Object.entries(facets ?? {}).filter(
        ([, facet]) => !/\$defs\/(Run|Job)Facet$/.test((facet as { _schemaURL: string })._schemaURL),
      ),
    );
  const { facets: jobFacets } = event.job as { facets?: object };
  return {
    ...event,
    run: { ...event.run, facets: standard(event.run.facets) },
    job: { ...event.job, facets: standard(jobFacets) },
  };
}
