import assert from 'node:assert/strict';
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
