import type { JsonValue } from '#core/json.ts';

/** A DAG run to start. */
export interface AirflowRunRequest {
  /** The run's id, which becomes `dag_run_id`. */
  readonly id: string;
  /** Identifies the attempt of stage, job and step. */
  readonly attempt: string;
  /** What the author of the pipeline gave; `plumbline` and `openlineage` are not the author's to set. */
  readonly conf: Readonly<Record<string, JsonValue>>;
  /** ISO 8601 with an offset. */
  readonly logicalDate?: string | undefined;
  readonly note?: string | undefined;
  /** Who starts it, for people and for lineage: goes into `conf.plumbline`. No secret, no e-mail address. */
  readonly origin: Readonly<Record<string, string>>;
  /** `conf.openlineage` as Airflow's OpenLineage provider reads it; absent: none. */
  readonly openLineage?: Readonly<Record<string, string>> | undefined;
  /** Starts only when this version of the bundle (a commit) is parsed. */
  readonly dagVersion?: { readonly version: string; readonly withinMs: number } | undefined;
  /** A paused DAG is unpaused, and stays so. @default false */
  readonly unpause?: boolean | undefined;
}

/**
 * `conf.plumbline` of every run that we started: by it a run is known as ours before it is adopted. Whoever may trigger the DAG
 * can write the same.
 */
export interface RunMarker {
  readonly key: string;
  readonly attempt: string;
  readonly [fact: string]: JsonValue;
}
