import { readFileSync } from 'node:fs';

/** What a real Airflow answered to one request. Names of hosts and folders are replaced. */
export interface RecordedAnswer {
  readonly method: string;
  /** With `/api/v1` or `/api/v2`, and its query. */
  readonly path: string;
  readonly request?: Readonly<Record<string, unknown>>;
  readonly status: number;
  readonly type: string | null;
  /** Parsed when it was JSON. */
  readonly body: unknown;
  readonly continuation?: string;
}

/** The two Airflows whose answers are recorded. */
export const RECORDED_LINES = ['3.3.2', '2.11.2'] as const;
export type RecordedLine = (typeof RECORDED_LINES)[number];

/** The run of the recordings, with a marker for `attempt` 1.1. */
export const RECORDED_RUN = 'plumbline-0123456789abcdef0123';

const FOLDER = new URL('../../fixtures/airflow/answers/', import.meta.url);

/** By name; the same names for both, but what only one of them has. */
export function recordedAnswers(line: RecordedLine): ReadonlyMap<string, RecordedAnswer> {
  const file = new URL(`airflow-${line}.json`, FOLDER);
  return new Map(Object.entries(JSON.parse(readFileSync(file, 'utf8')) as Record<string, RecordedAnswer>));
}
