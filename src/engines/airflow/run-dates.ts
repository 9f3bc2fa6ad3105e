import type { AirflowRun, ApiVersion, RunName } from './airflow-api.ts';

const MOST = 10_000;

/**
 * The date by which each run that was seen can be found again in a list: such a list cannot be asked for by run ids, and that of
 * a DAG may be long.
 */
export class RunDates {
  readonly #api: ApiVersion;
  readonly #dates = new Map<string, string>();

  constructor(api: ApiVersion) {
    this.#api = api;
  }

  /** @returns the run */
  seen(run: AirflowRun): AirflowRun {
    const date = this.#api === 'v1' ? run.logicalDate : run.runAfter;
    if (date === undefined) return run;
    this.#dates.set(runKeyOf(run), date);
    if (this.#dates.size > MOST) this.#dates.delete(this.#dates.keys().next().value ?? '');
    return run;
  }

  /** The earliest date of these runs; `undefined` when one of them was not seen yet. */
  since(wanted: readonly RunName[]): string | undefined {
    const dates = wanted.map((run) => this.#dates.get(runKeyOf(run)));
    if (dates.includes(undefined)) return undefined;
    return (dates as string[]).reduce((earliest, date) => (Date.parse(date) < Date.parse(earliest) ? date : earliest));
  }
}

/** Different for different runs. */
export function runKeyOf({ dagId, runId }: RunName): string {
  return JSON.stringify([dagId, runId]);
}
