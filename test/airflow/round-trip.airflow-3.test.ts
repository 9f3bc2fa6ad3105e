import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { installedNodeBinaries } from '#local-pipeline/node-handlers.ts';
import { packageExtension } from '../../scripts/package-extension.ts';
import { pythonOf } from '../../scripts/python-environments.mjs';
import { ROOT } from '../../scripts/repository.ts';
import { queuedPipelineRunner } from '../../scripts/run-queued-pipeline.ts';
import { AIRFLOW_USERS } from '../../scripts/start-airflow.ts';
import { type AirflowWorld, startAirflowWorld } from '../../scripts/start-airflow-world.ts';
import { AirflowTruth, type TrueRun } from '../support/airflow/airflow-truth.ts';
import { linesOf, type SeenLineage } from '../support/airflow/lineage-receiver.ts';
import { leaksOf, type Place, textsBelow } from '../support/leaks.ts';
import { plumbline } from '../support/plumbline-command.ts';
import { podToken } from '../support/pod-token.ts';
import { testKey } from '../support/test-issuer.ts';

const NAMESPACE = 'airflow-prod';
/** The run that somebody starts, or a schedule. */
const FIRST = 'watch-of-the-20th';
/** Three parts of Base64, as every token here has: of Entra, of Azure DevOps, of the gateway, of Airflow. */
const TOKEN = /eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{20,}/g;

describe('a DAG that queues a pipeline that runs a DAG', function () {
  this.timeout(480_000);
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'plumbline-round-trip-')));
  const at = (name: string) => join(folder, name);
  const events = at('openlineage.jsonl');
  const key = testKey('RS256');
  const serviceAccountToken = podToken(key);
  let world: AirflowWorld;
  let truth: AirflowTruth;

  before(async () => {
    mkdirSync(at('token'), { mode: 0o700 });
    writeFileSync(at('token/plumbline-token'), serviceAccountToken, { mode: 0o600 });
    const nodes = installedNodeBinaries(join(ROOT, 'node_modules'));
    world = await startAirflowWorld({
      folder: at('world'),
      python: pythonOf(ROOT, 'airflow-3'),
      program: join(ROOT, 'src/cli/main.ts'),
      cache: join(ROOT, '.cache/airflow'),
      runQueued: queuedPipelineRunner({ vsix: await packageExtension(), nodes, out: at('pipelines') }),
      policy: (document) => document.setIn(['issuers', 'cluster', 'jwks'], { keys: [{ ...key.jwk, alg: 'RS256' }] }),
      airflow: ({ url }) => ({
        AIRFLOW_CONN_PLUMBLINE_GATEWAY: JSON.stringify({ conn_type: 'http', host: url }),
        AIRFLOW__OPENLINEAGE__TRANSPORT: JSON.stringify({ type: 'file', log_file_path: events, append: true }),
        AIRFLOW__OPENLINEAGE__NAMESPACE: NAMESPACE,
        PLUMBLINE_TOKEN_FOLDER: at('token'),
        ORDERS_POKE_SECONDS: '10',
      }),
    });
    truth = new AirflowTruth('3', world.airflow.url);
    await truth.trigger('orders_watch', FIRST);
    // Two DAG runs and a pipeline, and the sensor's pauses.
    await truth.runIs('orders_watch', FIRST, ['success', 'failed'], 300_000);
    await world.azure.settled();
  });

  after(async () => {
    await world?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('ends well on all sides, and the orders are where they belong', async () => {
    assert.deepEqual(await truth.states('orders_watch', FIRST), {
      too_many_rejected: 'success',
      note_quiet_day: 'skipped',
      queue_pipeline: 'success',
      pipeline_succeeded: 'success',
    });
    const [run, ...others] = world.azure.runs();
    assert.deepEqual([run?.result, run?.pipeline, run?.ref, others], ['succeeded', 12, 'refs/heads/main', []]);
    assert.deepEqual(
      (await truth.runs('orders_reload')).map(({ state }) => state),
      ['success'],
    );
    assert.deepEqual(rows(world.orders, "SELECT id FROM rejected_orders WHERE day = '2026-11-20'"), []);
  });

  it('has one shared id everywhere: context, tags, conf, note, report, audit', async () => {
    const id = await sharedId();
    const [run] = world.azure.runs();
    const second = await secondRun();
    const marker = second.conf['plumbline'] as { readonly sharedId: string };
    assert.equal((JSON.parse(run?.templateParameters['calledBy'] ?? '{}') as { sharedId: string }).sharedId, id);
    assert.ok(run?.tags.includes(`plumbline-${id}`), run?.tags.join());
    assert.ok(run?.tags.includes(`airflow:${second.dag_run_id}`), run?.tags.join());
    assert.equal(marker.sharedId, id);
    assert.ok(second.note?.includes(id), second.note ?? 'no note');
    assert.ok(attachment('plumbline-report').includes(id));
    assert.ok(auditLines().some((line) => line.includes(id)));
  });

  it('is one chain of lineage, from the first DAG run over task, pipeline and step to the second with its tasks', async () => {
    const own = attachment('plumbline-lineage')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as SeenLineage);
    const provided = linesOf(events);
    const start = (name: string) => provided.find(({ job, eventType }) => job.name === name && eventType === 'START');
    const [first, task, second] = ['orders_watch', 'orders_watch.queue_pipeline', 'orders_reload'].map(start);
    assert.ok(first && task && second);
    assert.equal(first.run.facets.parent, undefined);
    assert.equal(task.run.facets.parent?.run.runId, first.run.runId);
    const step = own.find(({ run }) => run.facets.parent?.run.runId === task.run.runId);
    assert.ok(step, 'the step comes from the task that queued the pipeline');
    assert.equal(second.run.facets.parent?.run.runId, step.run.runId);
    for (const { run, job } of [...own, ...provided.filter((event) => event.job.name.startsWith('orders_reload'))])
      assert.equal(run.facets.parent?.root?.run.runId, first.run.runId, job.name);
  });

  it('leaves no token, password or PAT in any log, database, file, lineage or record', async () => {
    const kept = ['token/', 'world/airflow/passwords.json', 'world/airflow.pem'];
    // Keys and passwords are where they are meant to be; databases are looked at as their bytes.
    const places: readonly Place[] = textsBelow(
      folder,
      (name) => kept.some((one) => name.startsWith(one)) || name.includes('/keys/'),
    );
    assert.ok(places.some(({ place }) => place === 'world/airflow/airflow.db'));
    assert.ok(places.some(({ place }) => place.startsWith('world/airflow/logs/dag_id=orders_watch')));
    const secrets = [serviceAccountToken, ...Object.values(AIRFLOW_USERS).map(({ password }) => password)];
    assert.deepEqual(leaksOf(secrets, places), []);
    const tokens = places.flatMap(({ place, text }) =>
      [...text.matchAll(TOKEN)].map(([token]) => `${place}: ${token.slice(0, 20)}`),
    );
    assert.deepEqual(tokens, []);
  });

  it('is on record, and the record is complete', async () => {
    const types = auditLines().map((line) => (JSON.parse(line) as { type: string }).type);
    for (const type of [
      'dispatch.queue.intent',
      'dispatch.queue.outcome',
      'dispatch.tagged',
      'dispatch.end',
      'airflow.token',
    ])
      assert.ok(types.includes(`dev.plumbline.${type}`), types.join());
    await world.gateway.stop();
    const verified = await plumbline(
      'audit',
      'verify',
      join(world.files.state, 'audit'),
      '--checkpoints',
      world.files.checkpoints,
    );
    assert.equal(verified.status, 0, verified.out + verified.error);
  });

  /** That of the pipeline run, as the DAG was told it. */
  async function sharedId(): Promise<string> {
    const path = `/dags/orders_watch/dagRuns/${FIRST}/taskInstances/queue_pipeline/xcomEntries/return_value`;
    const { body } = await truth.ask<{ value: string }>('GET', path);
    return (JSON.parse(body.value) as { sharedId: string }).sharedId;
  }

  async function secondRun(): Promise<TrueRun> {
    const [run] = await truth.runs('orders_reload');
    assert.ok(run);
    return run;
  }

  function attachment(type: string): string {
    const found = world.azure.runs()[0]?.attachments.find((one) => one.type === type);
    assert.ok(found, `the pipeline run has no ${type}`);
    return Buffer.from(found.content).toString('utf8');
  }

  function auditLines(): readonly string[] {
    const files = textsBelow(join(world.files.state, 'audit')).filter(({ place }) => place.endsWith('.jsonl'));
    return files.flatMap(({ text }) => text.split('\n').filter(Boolean));
  }
});

function rows(path: string, query: string): readonly Record<string, unknown>[] {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    return database.prepare(query).all();
  } finally {
    database.close();
  }
}
