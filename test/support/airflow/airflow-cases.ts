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
  /** Whatever came of it: what the case has put where other tests find it goes. */
  readonly cleanUp?: (airflow: AirflowUnderTest) => Promise<void>;
}

/** Steps that run at the same time: each is a few processes, mostly waiting, and Airflow runs six tasks at once. */
const AT_ONCE = 4;

/** The last of many may wait for all the others, on a machine that is busy. */
const LONGEST_MS = 15 * 60_000;

/** A test for each case. Their steps run beside each other, in the order of the cases. */
export function describeAirflowCases(title: string, cases: readonly AirflowCase[], atOnce = AT_ONCE): void {
  const own = cases.filter(({ line }) => line === undefined || line === LINE);
  describe(`${title} (Airflow ${LINE})`, function () {
    this.timeout(LONGEST_MS);
    const endings = new Map(own.map((one) => [one, new Ending()]));
    let all: Promise<void> | undefined;

    before(async () => {
      const airflow = await airflowUnderTest();
      all = inTurns(own, atOnce, async (one) => endings.get(one)?.tell(await failureOf(one, airflow)));
    });

    for (const one of own) {
      it(one.title, async () => {
        const failure = await endings.get(one)?.failure;
        if (failure !== undefined) throw failure;
      });
    }

    after(() => all);
  });
}

/** What became of a case, for whoever waits for it. */
class Ending {
  tell: (failure: unknown) => void = () => undefined;
  /** `undefined`: none. */
  readonly failure = new Promise<unknown>((resolve) => {
    this.tell = resolve;
  });
}

async function failureOf(one: AirflowCase, airflow: AirflowUnderTest): Promise<unknown> {
  try {
    await one.prepare?.(airflow);
    await checked(one, await runAirflowStep(airflow, one), airflow).finally(() => one.cleanUp?.(airflow));
    return undefined;
  } catch (error) {
    return error;
  }
}

async function checked(one: AirflowCase, step: EndedAirflowStep, airflow: AirflowUnderTest): Promise<void> {
  try {
    assert.deepEqual(step.leaks, [], 'the credential stays where it belongs');
    assert.doesNotMatch(step.log, /eyJ[\w-]{20}/, 'no token is shown');
    if (step.output('runState') === 'succeeded') await trulySucceeded(step, airflow);
    await one.check(step, airflow);
  } catch (cause) {
    // Whoever reads of it wants to see what the step said and what the server was asked.
    throw new Error(`${(cause as Error).message}\n\n${step.log}\n${requestsOf(step)}`, { cause });
  }
}

function requestsOf({ proxy }: EndedAirflowStep): string {
  return proxy.requests
    .map(({ method, path, body, status, fault }) => `${method} ${path} ${body} ${status ?? '-'} ${fault ?? ''}`)
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
  assert.deepEqual(step.errors, []);
  assert.deepEqual(
    step.codes.warning.filter((code) => code !== 'ERR_CONNECTION_STORED_SECRET'),
    [],
    step.warnings.join('\n'),
  );
  await greenAtLast(step, airflow);
}

/** The same for a step that the agent started again, whatever its earlier attempt complained of. */
export async function greenAtLast(step: EndedAirflowStep, airflow: AirflowUnderTest): Promise<void> {
  assert.match(step.result ?? '', /^Succeeded/);
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
