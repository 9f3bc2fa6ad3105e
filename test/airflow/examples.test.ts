import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { installedNodeBinaries } from '#local-pipeline/node-handlers.ts';
import { ROOT } from '../../scripts/repository.ts';
import { queuedPipelineRunner } from '../../scripts/run-queued-pipeline.ts';
import { type ExampleGateway, startExampleGateway } from '../../scripts/start-example-gateway.ts';
import { type ExampleAirflow, exampleAirflow } from '../support/airflow/example-airflow.ts';
import { leaksOf, textsBelow } from '../support/leaks.ts';
import { podToken } from '../support/pod-token.ts';
import { testKey } from '../support/test-issuer.ts';

/** What stands for orders-reload where no Airflow that trusts the gateway is at hand: it ends as the day says. */
const PIPELINE = {
  parameters: ['day', 'calledBy'].map((name) => ({ name, type: 'string', default: ' ' })),
  steps: [{ checkout: 'none' }, { bash: "[ '${{ parameters.day }}' = 2026-11-20 ]" }],
};

describe('the DAGs of examples/airflow', function () {
  this.timeout(300_000);
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'plumbline-dags-')));
  const key = testKey('RS256');
  const token = podToken(key);
  let example: ExampleAirflow;
  let gateway: ExampleGateway;

  before(async () => {
    example = await exampleAirflow();
    writeFileSync(join(folder, 'pipeline.yml'), stringify(PIPELINE));
    mkdirSync(join(folder, 'runs'));
    gateway = await startExampleGateway({
      folder: join(folder, 'gateway'),
      program: join(ROOT, 'src/cli/main.ts'),
      airflowUrl: example.airflow.url,
      azure: (given) => ({
        ...given,
        pipelines: given.pipelines?.map((one) => ({ ...one, yaml: join(folder, 'pipeline.yml') })) ?? [],
      }),
      policy: (document) => document.setIn(['issuers', 'cluster', 'jwks'], { keys: [{ ...key.jwk, alg: 'RS256' }] }),
      runQueued: queuedPipelineRunner({
        nodes: installedNodeBinaries(join(ROOT, 'node_modules')),
        out: join(folder, 'runs'),
      }),
    });
    example.gateway.lead(gateway.url);
    example.writeToken(token);
  });

  after(async () => {
    await gateway?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('are read by this Airflow as they are', async () => {
    assert.deepEqual(await example.airflow.truth.importErrors(), []);
    assert.deepEqual([...(await example.airflow.truth.dags())].sort(), ['orders_reload', 'orders_watch']);
  });

  it('queue nothing while the data is below the threshold', async () => {
    assert.deepEqual(await watch('quiet', { threshold: 99 }), {
      too_many_rejected: 'success',
      note_quiet_day: 'success',
      queue_pipeline: 'skipped',
      pipeline_succeeded: 'skipped',
    });
    assert.deepEqual(
      example.rows('SELECT day FROM quiet_days').map(({ day }) => day),
      ['2026-11-20'],
    );
    assert.deepEqual(example.gateway.requests, []);
  });

  it('queue the pipeline when there are too many, wait for it, and tell it where they come from', async () => {
    assert.deepEqual(await watch('busy', {}), {
      too_many_rejected: 'success',
      note_quiet_day: 'skipped',
      queue_pipeline: 'success',
      pipeline_succeeded: 'success',
    });
    const [run] = gateway.azure.runs();
    assert.equal(run?.templateParameters['day'], '2026-11-20');
    const context = JSON.parse(run?.templateParameters['calledBy'] ?? '{}') as Context;
    const task = example.receiver.written.find(
      ({ job, run }) => job.name === 'orders_watch.queue_pipeline' && run.runId === context.parent.runId,
    );
    assert.ok(task, 'the parent is the run of the task as the provider names it');
    assert.equal(task.run.facets.parent?.run.runId, context.root.runId);
    assert.equal(context.caller['subject'], 'system:serviceaccount:airflow:retail-worker');
    assert.equal(context.caller['runId'], 'busy');
  });

  it('fail when the pipeline does', async () => {
    // The orders of that day: one was rejected.
    const states = await watch('failing', { day: '2026-11-21', threshold: 0 });
    assert.deepEqual([states['queue_pipeline'], states['pipeline_succeeded']], ['success', 'failed']);
    assert.equal(gateway.azure.runs().length, 2);
  });

  it('show their token to the gateway and to nobody else: no field, log, database or event of Airflow has it', () => {
    const shown = example.gateway.requests.map(({ authorization }) => authorization);
    assert.ok(shown.length >= 4);
    assert.deepEqual([...new Set(shown)], [`Bearer ${token}`]);
    const places = [
      ...textsBelow(example.airflow.folder),
      ...textsBelow(example.folder, (name) => name.startsWith('token/')),
      ...textsBelow(join(folder, 'gateway')),
      ...textsBelow(join(folder, 'runs')),
    ];
    assert.ok(places.some(({ place, text }) => place.endsWith('airflow.db') && text.includes('Idempotency-Key')));
    assert.ok(places.some(({ place }) => place.includes('task_id=queue_pipeline')));
    assert.deepEqual(leaksOf([token, token.slice(token.lastIndexOf('.') + 1)], places), []);
  });

  /** How the tasks of a run of orders_watch end. */
  async function watch(run: string, conf: object): Promise<Readonly<Record<string, string | null>>> {
    const { truth } = example.airflow;
    await truth.trigger('orders_watch', run, conf);
    await truth.runIs('orders_watch', run, ['success', 'failed']);
    return truth.states('orders_watch', run);
  }
});

interface Context {
  readonly parent: { readonly runId: string };
  readonly root: { readonly runId: string };
  readonly caller: Readonly<Record<string, string>>;
}
