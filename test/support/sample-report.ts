import type { RunOutcome, TaskRecord } from '#core/run.ts';
import { buildReport, type ReportFacts } from '#report/build-report.ts';
import type { Report } from '#report/schema.ts';
import { failedRun, SAMPLE_START, sampleProvenance, sampleTask, succeededRun } from './sample-run.ts';

/** All that a report can tell beside outcome and provenance. */
export function sampleFacts(): ReportFacts {
  return {
    runId: 'fabrikam/Shop/4711/load/luigi/daily',
    workflow: 'DailyReport',
    producerVersion: '0.1.0',
    createdAt: SAMPLE_START + 186_000,
    identity: {
      kind: 'federated',
      clientId: '8b1f0c3e-6d4a-4f57-9a55-0c2f9d3f7a10',
      tenantId: '72f988bf-0000-4000-8000-2d7cd011db47',
      connection: { id: '3c1e6f9a-2f4b-4f0e-8c54-6a0d9be1c9a2', name: 'shop-data-prod' },
      issuer: 'https://login.microsoftonline.com/72f988bf-0000-4000-8000-2d7cd011db47/v2.0',
      subject: '/eid1/c/pub/t/v4j5cvGGr0GRqy180BHbRw/a/PgwfKL1tV0-aVQwvnT96EA/sc/6c6f3423/3c1e6f9a',
    },
    secrets: [
      {
        vault: 'https://shop-kv.vault.azure.net',
        name: 'warehouse-password',
        version: '5f0c',
        target: 'WAREHOUSE_PASSWORD',
      },
      { vault: 'https://shop-kv.vault.azure.net', name: 'rates-api-key', target: 'RATES_API_KEY' },
    ],
    lineage: {
      namespace: 'azure-devops://fabrikam/Shop',
      stepRunId: '019a9f2b-1e08-7a11-8c4d-5f2f0f9f0001',
      workflowRunId: '019a9f2b-1e08-7b22-9d5e-6a3a1a8a0002',
      events: 8,
      sink: 'run',
    },
  };
}

const idle = { startedAt: undefined, endedAt: undefined, attempts: 0 };

/** Two families of forty tasks; every second was already complete, one died. */
function manyTasks(): TaskRecord[] {
  const family = (index: number) => (index < 40 ? 'sales.Load' : 'sales.Clean');
  return Array.from({ length: 80 }, (_, index) =>
    sampleTask(`Load_${index}`, {
      ...(index % 2 ? { state: 'done' } : { ...idle, state: 'complete' }),
      ...(index === 41 && { state: 'died' }),
      family: index === 0 ? 'Report' : family(index),
      parameters: { shard: String(index) },
      dependsOn: index < 40 ? [`Load_${index + 1}`] : [],
    }),
  );
}

/** A success of Airflow with a failed task inside, one mapped and one skipped. */
function dagRun(): RunOutcome {
  const instance = (id: string, given: Partial<TaskRecord> = {}) =>
    sampleTask(id, { family: id, module: undefined, parameters: {}, ...given });
  return {
    state: 'succeeded',
    verified: 'confirmed',
    summary: 'The run of the DAG orders_reload succeeded for Airflow, with failed tasks in it',
    tasks: [
      instance('load[0]', { family: 'load', parameters: { map_index: '0' }, dependsOn: ['extract'] }),
      instance('extract', { state: 'failed', attempts: 2 }),
      instance('notify', { ...idle, state: 'skipped', dependsOn: ['load[0]'] }),
    ],
    findings: [
      {
        severity: 'warning',
        code: 'ERR_RUN_TASK_FAILED',
        message: 'extract failed: ValueError: no rows',
        taskId: 'extract',
      },
    ],
    startedAt: SAMPLE_START,
    endedAt: SAMPLE_START + 8_000,
    engine: { name: 'airflow', version: '3.3.2', adapterVersion: '1' },
    adopted: false,
  };
}

/** The runs whose report and summary are kept under test/fixtures/report. */
export function goldenReports(): Readonly<Record<string, Report>> {
  const facts = sampleFacts();
  const bare: ReportFacts = {
    runId: facts.runId,
    workflow: facts.workflow,
    producerVersion: '0.1.0',
    createdAt: facts.createdAt,
  };
  const nothing = succeededRun().tasks.map((task) => ({ ...task, ...idle, state: 'complete' as const }));
  const many = manyTasks();
  return {
    succeeded: buildReport(succeededRun(), sampleProvenance('deployment-job'), facts),
    failed: buildReport(failedRun(), sampleProvenance('pull-request-azure-repos'), facts),
    'nothing-to-run': buildReport({ ...succeededRun(), tasks: nothing }, sampleProvenance(), bare),
    lost: buildReport(
      {
        ...failedRun(),
        state: 'lost',
        verified: 'unknown',
        rootTaskId: undefined,
        tasks: [],
        summary: 'DailyReport cannot be followed any more',
        findings: [
          {
            severity: 'error',
            code: 'ERR_RUN_LOST',
            message: 'DailyReport cannot be followed any more: its events end in the middle. It may still be running',
            remedy: 'See whether the disk of the agent is full.',
          },
        ],
      },
      sampleProvenance('release-build-artifact'),
      bare,
    ),
    airflow: buildReport(dagRun(), sampleProvenance(), {
      ...facts,
      runId: 'plumbline-fec89697f4c6715ef269',
      workflow: 'orders_reload',
      engineUrl: 'https://airflow.example.com/dags/orders_reload/runs/plumbline-fec89697f4c6715ef269',
      sharedId: '3f2a7c1e-1111-4222-8333-944445555666',
    }),
    families: buildReport(
      { ...failedRun(), tasks: many, rootTaskId: 'Load_0', findings: [] },
      sampleProvenance('tag'),
      {
        ...bare,
        lineageCut: [{ what: 'lineage runs', kept: 70, total: 82 }],
      },
    ),
  };
}
