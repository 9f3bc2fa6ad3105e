import { readFileSync } from 'node:fs';
import type { Dataset } from '#core/dataset.ts';
import type { Provenance } from '#core/provenance.ts';
import { readProvenance } from '#core/read-provenance.ts';
import type { RunOutcome, TaskRecord } from '#core/run.ts';

/** The instant all sample times count from: 2026-11-20T03:00:10Z. */
export const SAMPLE_START = Date.UTC(2026, 10, 20, 3, 0, 10);

/** The provenance of a recorded environment, by the name of its fixture. */
export function sampleProvenance(fixture = 'build-ci'): Provenance {
  const file = new URL(`../fixtures/provenance/${fixture}.json`, import.meta.url);
  const { variables } = JSON.parse(readFileSync(file, 'utf8')) as { variables: Record<string, string> };
  return readProvenance((name) => variables[name]);
}

export function file(path: string, type = 'LocalTarget'): Dataset {
  return { namespace: 'file', name: path, type };
}

/** A task that ran for two seconds, unless told otherwise. */
export function sampleTask(id: string, given: Partial<TaskRecord> = {}): TaskRecord {
  return {
    id,
    family: id.split('_')[0] ?? id,
    module: 'sales.daily',
    parameters: { date: '2026-11-20' },
    state: 'done',
    dependsOn: [],
    startedAt: SAMPLE_START + 1_000,
    endedAt: SAMPLE_START + 3_000,
    attempts: 1,
    inputs: [],
    outputs: [],
    ...given,
  };
}

const idle = { startedAt: undefined, endedAt: undefined, attempts: 0 };

/** A run of five tasks: an input that was there, one extract that ran and one that failed, what the failure blocked. */
export function failedRun(): RunOutcome {
  return {
    state: 'failed',
    verified: 'refuted',
    rootTaskId: 'DailyReport_2026_11_20_aa',
    tasks: [
      sampleTask('DailyReport_2026_11_20_aa', {
        ...idle,
        state: 'blocked',
        dependsOn: ['Refunds_2026_11_20_bb', 'Orders_2026_11_20_cc'],
        outputs: [file('/data/report.csv')],
      }),
      sampleTask('Refunds_2026_11_20_bb', {
        state: 'failed',
        dependsOn: ['Landing_2026_11_20_dd'],
        attempts: 2,
        inputs: [file('/data/landing/refunds.csv')],
        outputs: [file('/data/refunds.parquet')],
        failure: {
          type: 'ValueError',
          message: "refund of order '4711' is larger than the order",
          traceback:
            'Traceback (most recent call last):\n  File "/opt/venv/lib/python3.12/site-packages/luigi/worker.py", line 203, in run\n    new_deps = self._run_get_new_deps()\n  File "/home/vsts/work/1/s/sales/refunds.py", line 42, in run\n    check(row)\n  File "/home/vsts/work/1/s/sales/refunds.py", line 17, in check\n    raise ValueError(f"refund of order {row.order!r} is larger than the order")\nValueError: refund of order \'4711\' is larger than the order\n',
          frame: { file: '/home/vsts/work/1/s/sales/refunds.py', line: 17, function: 'check' },
        },
      }),
      sampleTask('Orders_2026_11_20_cc', {
        dependsOn: ['Landing_2026_11_20_dd'],
        inputs: [file('/data/landing/orders.csv'), file('/data/rates.json')],
        outputs: [{ namespace: 's3://shop', name: 'orders/2026-11-20.parquet', type: 'S3Target' }],
      }),
      sampleTask('Landing_2026_11_20_dd', {
        ...idle,
        state: 'complete',
        outputs: [file('/data/landing/orders.csv'), file('/data/landing/refunds.csv')],
      }),
      sampleTask('Rates_ee', { ...idle, state: 'missing', parameters: {}, outputs: [file('/data/rates-eu.json')] }),
    ],
    summary: 'DailyReport(date=2026-11-20) failed: tasks of it failed',
    findings: [
      {
        severity: 'error',
        code: 'ERR_RUN_FAILED',
        message: "Task Refunds(date=2026-11-20) failed: ValueError: refund of order '4711' is larger than the order",
        taskId: 'Refunds_2026_11_20_bb',
      },
      {
        severity: 'error',
        code: 'ERR_RUN_MISSING_INPUT',
        message: 'External input Rates() is not there: file /data/rates-eu.json',
        remedy: 'Provide it, then run the step again.',
        taskId: 'Rates_ee',
      },
    ],
    startedAt: SAMPLE_START,
    endedAt: SAMPLE_START + 185_000,
    engine: { name: 'luigi', version: '3.8.1', adapterVersion: '0.1.0' },
    adopted: false,
  };
}

/** The same graph in a run that went well: two tasks ran, one was already complete, an intermediate result was read again. */
export function succeededRun(): RunOutcome {
  const orders = { namespace: 's3://shop', name: 'orders/2026-11-20.parquet', type: 'S3Target' };
  return {
    ...failedRun(),
    state: 'succeeded',
    summary: 'DailyReport(date=2026-11-20) succeeded: its root task is complete',
    verified: 'confirmed',
    tasks: [
      sampleTask('DailyReport_2026_11_20_aa', {
        dependsOn: ['Orders_2026_11_20_cc'],
        startedAt: SAMPLE_START + 3_000,
        endedAt: SAMPLE_START + 5_500,
        inputs: [orders],
        outputs: [file('/data/report.csv')],
      }),
      sampleTask('Orders_2026_11_20_cc', {
        dependsOn: ['Landing_2026_11_20_dd'],
        inputs: [file('/data/landing/orders.csv')],
        outputs: [orders],
      }),
      sampleTask('Landing_2026_11_20_dd', { ...idle, state: 'complete', outputs: [file('/data/landing/orders.csv')] }),
    ],
    findings: [],
  };
}
