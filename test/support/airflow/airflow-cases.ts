import assert from 'node:assert/strict';
import type { ErrorCode } from '#core/errors.ts';
import type { AirflowLine } from '../../../scripts/start-airflow.ts';
import { type AirflowStep, type EndedAirflowStep, runAirflowStep } from './airflow-steps.ts';
import { type AirflowUnderTest, airflowUnderTest, LINE } from './airflow-under-test.ts';

/** A step with what has to be true when it has ended. */
export interface AirflowCase extends AirflowStep {
  readonly title: string;
  /** On which Airflow; it is no test of the other one. @default both */
  readonly line?: AirflowLine;
  /** Before the step. */
  readonly prepare?: (airflow: AirflowUnderTest) => Promise<void>;
  readonly check: (step: EndedAirflowStep, airflow: AirflowUnderTest) => void | Promise<void>;
}

/** Steps that run at the same time: each is a few processes, mostly waiting, and Airflow runs six tasks at once. */
const AT_ONCE = 4;

/** A test for each case; their steps have run together before the first of them. */
export function describeAirflowCases(title: string, cases: readonly AirflowCase[], atOnce = AT_ONCE): void {
  const own = cases.filter(({ line }) => line === undefined || line === LINE);
  describe(`${title} (Airflow ${LINE})`, function () {
    this.timeout(540_000);
    const runs = new Map<AirflowCase, PromiseSettledResult<EndedAirflowStep>>();
    let airflow: AirflowUnderTest;

    before(async () => {
      airflow = await airflowUnderTest();
      await inTurns(own, atOnce, async (one) => {
        const [run] = await Promise.allSettled([runCase(one, airflow)]);
        runs.set(one, run);
      });
    });

    for (const one of own) {
      it(one.title, async () => {
        const run = runs.get(one);
        assert.ok(run, 'was run');
        if (run.status === 'rejected') throw run.reason;
        await checked(one, run.value, airflow);
      });
    }
  });
}

async function runCase(one: AirflowCase, airflow: AirflowUnderTest): Promise<EndedAirflowStep> {
  await one.prepare?.(airflow);
  return runAirflowStep(airflow, one);
}

/** Whoever reads of a failed check wants to see what the step said. */
async function checked(one: AirflowCase, step: EndedAirflowStep, airflow: AirflowUnderTest): Promise<void> {
  try {
    assert.deepEqual(step.leaks, [], 'the credential stays where it belongs');
    assert.doesNotMatch(step.log, /eyJ[\w-]{20}/, 'no token is shown');
    if (step.output('runState') === 'succeeded') await trulySucceeded(step, airflow);
    await one.check(step, airflow);
  } catch (error) {
    if (error instanceof Error) error.message += `\n\n${step.log}\n${requestsOf(step)}`;
    throw error;
  }
}

function requestsOf({ proxy }: EndedAirflowStep): string {
  return proxy.requests
    .map(({ method, path, status, fault }) => `${method} ${path} ${status ?? '-'} ${fault ?? ''}`)
    .join('\n');
}

async function inTurns<T>(all: readonly T[], atOnce: number, act: (one: T) => Promise<void>): Promise<void> {
  const waiting = [...all];
  const worker = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await act(next);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

/** Whatever else happens: nothing is called a success that Airflow does not call one. */
async function trulySucceeded(step: EndedAirflowStep, airflow: AirflowUnderTest): Promise<void> {
  const run = await airflow.truth.run(step.dag, step.output('dagRunId') ?? '');
  assert.equal(run?.state, 'success', 'Airflow says the same');
}

/** Ended green, with nothing to complain of but a credential that is stored; Airflow says the same, task by task. */
export async function green(step: EndedAirflowStep, airflow: AirflowUnderTest): Promise<void> {
  assert.match(step.result ?? '', /^Succeeded/);
  assert.deepEqual(step.errors, []);
  assert.deepEqual(
    step.codes.warning.filter((code) => code !== 'ERR_CONNECTION_STORED_SECRET'),
    [],
    step.warnings.join('\n'),
  );
  assert.equal(step.output('runState'), 'succeeded');
  await trulySucceeded(step, airflow);
  await sameTasks(step, airflow);
}

/** Ended red with these codes and with an error to read; the run failed, and Airflow says so of the same tasks. */
export async function red(
  step: EndedAirflowStep,
  airflow: AirflowUnderTest,
  codes: readonly ErrorCode[],
): Promise<void> {
  assert.equal(step.result, 'Failed');
  assert.deepEqual([...new Set(step.codes.error)], codes, step.errors.join('\n'));
  assert.equal(step.output('runState'), 'failed');
  const run = await airflow.truth.run(step.dag, step.output('dagRunId') ?? '');
  assert.equal(run?.state, 'failed');
  await sameTasks(step, airflow);
}

/** Ended red, and no run was made. `asked`: a trigger was sent, and refused. */
export function refused(step: EndedAirflowStep, codes: readonly ErrorCode[], trigger: 'asked' | 'none' = 'none'): void {
  assert.equal(step.result, 'Failed');
  assert.deepEqual(step.codes.error, codes, step.errors.join('\n'));
  assert.notEqual(step.output('runState'), 'succeeded');
  const sent = step.proxy.seen('POST', /\/dagRuns$/);
  assert.equal(sent.length > 0, trigger === 'asked', 'triggers sent');
  assert.ok(
    sent.every(({ status = 0 }) => status >= 400),
    'none accepted',
  );
}

/** State of each task of the report, by its name. */
export function taskStatesOf({ report }: EndedAirflowStep): Readonly<Record<string, string>> {
  return Object.fromEntries(report.tasks.map(({ id, state }) => [id, state]));
}

/** Our words for Airflow's. */
const WORDS: Readonly<Record<string, string>> = {
  success: 'done',
  failed: 'failed',
  upstream_failed: 'blocked',
  skipped: 'skipped',
  removed: 'skipped',
};

/** The report's tasks are Airflow's task instances, each in its state; a long report leaves some out and says how many there are. */
export async function sameTasks(step: EndedAirflowStep, airflow: AirflowUnderTest): Promise<void> {
  const states = await airflow.truth.states(step.dag, step.output('dagRunId') ?? '');
  const truth = Object.fromEntries(
    Object.entries(states).map(([task, state]) => [task, WORDS[state ?? ''] ?? 'pending']),
  );
  assert.equal(step.output('tasksTotal'), String(Object.keys(truth).length));
  const told = taskStatesOf(step);
  for (const [task, state] of Object.entries(told)) assert.equal(state, truth[task], task);
  if (Object.keys(truth).length <= 100) assert.deepEqual(told, truth);
}
