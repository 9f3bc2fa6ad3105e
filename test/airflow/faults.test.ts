import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { AIRFLOW_LOCAL_KEY } from '../../scripts/airflow-settings.ts';
import { type AirflowCase, describeAirflowCases, green, refused } from '../support/airflow/airflow-cases.ts';
import type { EndedAirflowStep } from '../support/airflow/airflow-steps.ts';
import { type AirflowUnderTest, LINE } from '../support/airflow/airflow-under-test.ts';
import type { Fault, FaultRule } from '../support/airflow/fault-proxy.ts';

const TRIGGER = { method: 'POST', path: /\/dags\/[^/]+\/dagRuns$/ } as const;
/** Requests about the run that was started: its state, by whichever way. */
const STATUS = { after: TRIGGER, path: /\/dagRuns\/(?!list)[^/]+(\/wait\b|$|\?)|\/dagRuns\/list$/ } as const;
const TASKS = { path: /\/taskInstances\b/ } as const;

const answer = (status: number, more: Partial<Fault & { kind: 'answer' }> = {}): Fault => ({
  kind: 'answer',
  status,
  body: { detail: `spoiled ${status}` },
  ...more,
});

/** A run that goes on long enough to be asked about several times. */
const LONG = { dag: 'sleeper', inputs: { conf: '{"seconds": 6}' } } as const;

/** What a step gets over by itself: it ends green, with one run. */
const PASSING: readonly (readonly [string, readonly FaultRule[]])[] = [
  ['429 with Retry-After at the trigger', [{ ...TRIGGER, fault: answer(429, { headers: { 'retry-after': '1' } }) }]],
  [
    '429 with Retry-After while it is followed',
    [{ ...STATUS, skip: 2, fault: answer(429, { headers: { 'retry-after': '2' } }) }],
  ],
  ['500 at the trigger', [{ ...TRIGGER, fault: answer(500, { body: 'Internal Server Error' }) }]],
  ['503 at the trigger, twice', [{ ...TRIGGER, count: 2, fault: answer(503) }]],
  [
    '502, 503 and 504 while it is followed',
    [502, 503, 504].map((status) => ({ ...STATUS, skip: 1, fault: answer(status) })),
  ],
  ['a reset before the trigger was sent on', [{ ...TRIGGER, fault: { kind: 'reset', when: 'before' } }]],
  ['a reset after the trigger was sent on', [{ ...TRIGGER, fault: { kind: 'reset', when: 'after' } }]],
  ['an answer to the trigger that is cut', [{ ...TRIGGER, fault: { kind: 'cut', afterBytes: 40 } }]],
  ['an answer to the trigger that is no JSON', [{ ...TRIGGER, fault: answer(200, { body: '<html>ok</html>' }) }]],
  ['resets while it is followed', [{ ...STATUS, skip: 1, count: 3, fault: { kind: 'reset', when: 'before' } }]],
  [
    'answers that are cut while it is followed',
    [{ ...STATUS, skip: 1, count: 3, fault: { kind: 'cut', afterBytes: 12 } }],
  ],
  [
    'streams that end after a line or two',
    [{ path: /\/wait\b/, count: 4, fault: { kind: 'cut-lines', afterLines: 2 } }],
  ],
  ['garbage while it is followed', [{ ...STATUS, skip: 1, count: 2, fault: answer(200, { body: '{"state": "succ' }) }]],
  ['a huge answer while it is followed', [{ ...STATUS, skip: 1, fault: { kind: 'huge', bytes: 200_000_000 } }]],
  [
    'slow headers and bodies',
    [{ path: /./, skip: 2, count: 4, fault: { kind: 'slow', headersMs: 700, pieceMs: 30, pieceBytes: 64 } }],
  ],
  [
    '5xx and resets when the tasks are read',
    [
      { ...TASKS, fault: answer(500) },
      { ...TASKS, fault: { kind: 'reset', when: 'after' } },
    ],
  ],
];

/** Answers about task instances as long as the step lives. */
const UNREADABLE_TASKS: readonly (readonly [string, Fault])[] = [
  ['tasks that may not be read', answer(403, { body: { detail: 'Forbidden' } })],
  ['tasks at which the server fails each time, asked for a minute', answer(500)],
];

/** What a step has to give up on, and how: before there is a run. */
const REFUSED: readonly (readonly [string, readonly FaultRule[], Parameters<typeof refused>[1]])[] = [
  [
    '401 at every request',
    [{ path: /\/api\/v\d\/(?!version)/, count: 1_000, fault: answer(401) }],
    ['ERR_AIRFLOW_REFUSED'],
  ],
  [
    '403 at the trigger',
    [{ ...TRIGGER, count: 1_000, fault: answer(403, { body: { detail: 'Forbidden' } }) }],
    ['ERR_AIRFLOW_REFUSED'],
  ],
  [
    '422 (400 in Airflow 2) at the trigger',
    [{ ...TRIGGER, fault: answer(LINE === '3' ? 422 : 400, { body: { detail: 'note is too long' } }) }],
    ['ERR_DAG_CONF_INVALID'],
  ],
];

const CASES: readonly AirflowCase[] = [
  ...PASSING.filter(([title]) => LINE === '3' || !title.startsWith('streams')).map(
    ([title, faults]): AirflowCase => ({
      title: `gets over ${title}`,
      ...LONG,
      faults,
      check: async (step, airflow) => {
        await green(step, airflow);
        assert.ok(
          step.proxy.requests.some(({ fault }) => fault !== undefined),
          'the fault was met',
        );
        await oneRun(step, airflow);
      },
    }),
  ),
  ...REFUSED.map(
    ([title, faults, codes]): AirflowCase => ({
      title: `ends red on ${title}`,
      dag: 'three',
      faults,
      check: (step) => {
        refused(step, codes, title.includes('trigger') ? 'asked' : 'none');
      },
    }),
  ),
  {
    title: '409: a run of this logical date is there under another id',
    dag: 'flow_dated',
    inputs: { logicalDate: '2026-05-06T07:08:09Z' },
    prepare: async (airflow) => {
      const date = { dag_run_id: 'by-hand', logical_date: '2026-05-06T07:08:09Z', conf: {} };
      assert.equal((await airflow.truth.ask('POST', '/dags/flow_dated/dagRuns', date)).status, 200);
    },
    check: (step) => {
      refused(step, ['ERR_AIRFLOW_CONFLICT'], 'asked');
      assert.match(step.errors.join('\n'), /logical ?date/i);
    },
  },
  {
    title: 'a token that expires in mid-run is renewed where there is a password',
    line: '3',
    ...LONG,
    connection: { scheme: 'UsernamePassword', username: 'plumbline-steps', secret: 'steps-local-only-7Hq2vX' },
    during: async ({ airflow, proxy }) => {
      const authorization = `Bearer ${expired(await airflow.as('steps').token())}`;
      proxy.inject({ ...STATUS, skip: 1, fault: { kind: 'credential', authorization } });
    },
    check: async (step, airflow) => {
      await green(step, airflow);
      assert.ok(step.proxy.requests.some(({ fault, status }) => fault === 'credential' && status === 401));
      assert.equal(step.proxy.seen('POST', /\/auth\/token$/).length, 2);
    },
  },
  {
    title: 'a credential that is refused once in mid-run is shown again',
    line: '2.11',
    ...LONG,
    faults: [{ ...STATUS, skip: 1, fault: { kind: 'credential', authorization: 'Basic bm9ib2R5Om5vdGhpbmc=' } }],
    check: async (step, airflow) => {
      await green(step, airflow);
      assert.ok(step.proxy.requests.some(({ fault, status = 0 }) => fault === 'credential' && status >= 400));
    },
  },
  {
    title: 'a credential that is refused for good in mid-run: red, the run not called failed, and left alone',
    ...LONG,
    during: async ({ airflow, proxy, runId }) => {
      const stale =
        LINE === '3' ? `Bearer ${expired(await airflow.as('steps').token())}` : 'Basic bm9ib2R5Om5vdGhpbmc=';
      await runId();
      proxy.inject({ path: /./, skip: 3, count: 100_000, fault: { kind: 'credential', authorization: stale } });
    },
    check: async (step, airflow) => {
      assert.equal(step.result, 'Failed');
      assert.ok(step.codes.error.includes('ERR_AIRFLOW_REFUSED') || step.codes.error.includes('ERR_RUN_LOST'));
      assert.notEqual(step.output('runState'), 'succeeded');
      assert.notEqual(step.output('runState'), 'failed');
      const [{ body } = { body: '{}' }] = step.proxy.seen('POST', /\/dagRuns$/);
      const run = await airflow.truth.runIs('sleeper', JSON.parse(body).dag_run_id, ['success', 'failed']);
      assert.equal(run.state, 'success');
    },
  },
  ...UNREADABLE_TASKS.map(
    ([title, fault]): AirflowCase => ({
      title: `${title}: green is not confirmed, and said`,
      dag: 'three',
      faults: [{ ...TASKS, count: 10_000, fault }],
      check: (step) => {
        assert.match(step.result ?? '', /^Succeeded/);
        assert.equal(step.output('runState'), 'succeeded');
        assert.notEqual(step.report.run.verified, 'confirmed');
        assert.ok(step.codes.warning.length > 0, 'said');
      },
    }),
  ),
  {
    title: 'a state of a run that nobody knows is no end',
    ...LONG,
    faults: [
      {
        ...STATUS,
        count: 1_000,
        fault: { kind: 'rewrite', from: /"state": ?"running"/g, to: '"state": "hibernating"' },
      },
    ],
    check: async (step, airflow) => {
      await green(step, airflow);
      assert.match(step.log, /hibernating, which is no end/);
    },
  },
];

/** The same token, of yesterday, with a signature that holds. */
function expired(token: string): string {
  const [header = '', payload = ''] = token.split('.');
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as Record<string, number>;
  const yesterday = Math.floor(Date.now() / 1_000) - 86_400;
  const old = { ...claims, iat: yesterday - 60, nbf: yesterday - 60, exp: yesterday };
  const signed = `${header}.${Buffer.from(JSON.stringify(old)).toString('base64url')}`;
  return `${signed}.${createHmac('sha512', AIRFLOW_LOCAL_KEY).update(signed).digest('base64url')}`;
}

/** However often it was asked for. */
async function oneRun(step: EndedAirflowStep, airflow: AirflowUnderTest): Promise<void> {
  const ids = step.proxy.seen('POST', /\/dagRuns$/).map(({ body }) => JSON.parse(body).dag_run_id as string);
  assert.equal(new Set(ids).size, 1, 'under one id');
  const made = (await airflow.truth.runs(step.dag)).filter(({ dag_run_id }) => dag_run_id.startsWith(ids[0] ?? '?'));
  assert.equal(made.length, 1);
}

describeAirflowCases('RunAirflow@1: faults between it and Airflow', CASES);
