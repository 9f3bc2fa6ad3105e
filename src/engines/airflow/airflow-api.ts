import type { JsonValue } from '#core/json.ts';

/** `v1` is that of Airflow 2, `v2` that of Airflow 3. */
export type ApiVersion = 'v1' | 'v2';

/** What a server can do beyond what all can. */
export interface AirflowFeatures {
  /** `GET …/wait`, since 3.1. */
  readonly wait: boolean;
  /** DAG versions and the version of the bundle, since 3.0. */
  readonly dagVersions: boolean;
}

/** A DAG as the server knows it now. Times are milliseconds since the epoch, here and below. */
export interface AirflowDag {
  readonly dagId: string;
  readonly isPaused: boolean;
  /** No file has it any more. */
  readonly isStale: boolean;
  readonly hasImportErrors: boolean;
  /** `undefined`: the server does not say. */
  readonly maxActiveRuns: number | undefined;
  readonly fileLocation: string | undefined;
  /** By name; `schema` is a JSON Schema, `value` what holds when the conf has none. */
  readonly params: ReadonlyMap<string, AirflowParam>;
  readonly bundleName: string | undefined;
  /** The commit, for a bundle that has versions. */
  readonly bundleVersion: string | undefined;
}

export interface AirflowParam {
  readonly value: JsonValue;
  readonly schema: Readonly<Record<string, JsonValue>>;
}

export interface AirflowRun {
  readonly dagId: string;
  readonly runId: string;
  /** `queued`, `running`, `success`, `failed`; a word that this version does not know is none of the terminal ones. */
  readonly state: string;
  readonly conf: Readonly<Record<string, JsonValue>>;
  readonly note: string | undefined;
  /** ISO 8601 as the server wrote it; `undefined` where Airflow 3 has none. */
  readonly logicalDate: string | undefined;
  readonly runAfter: string | undefined;
  readonly queuedAt: number | undefined;
  readonly startedAt: number | undefined;
  readonly endedAt: number | undefined;
  readonly bundleVersion: string | undefined;
}

export interface AirflowTaskInstance {
  readonly taskId: string;
  /** -1 when it is not mapped. */
  readonly mapIndex: number;
  /** What a person reads for a mapped one, if the DAG says. */
  readonly label: string | undefined;
  /** `undefined`: Airflow has not looked at it yet. */
  readonly state: string | undefined;
  /** 0 before the first. */
  readonly tryNumber: number;
  readonly startedAt: number | undefined;
  readonly endedAt: number | undefined;
}

/** A task of a DAG. */
export interface AirflowTask {
  readonly taskId: string;
  readonly downstream: readonly string[];
  readonly isMapped: boolean;
}

export interface AirflowAssetEvent {
  readonly uri: string;
  readonly name: string | undefined;
  readonly taskId: string | undefined;
  readonly mapIndex: number;
}

/** What a server says of its own parts. After a restart it can be stale for half a minute. */
export interface AirflowHealth {
  /** `healthy`, `unhealthy`; `undefined`: it does not say. */
  readonly scheduler: string | undefined;
  readonly schedulerHeartbeat: number | undefined;
}

export interface ImportError {
  readonly file: string;
  /** The traceback, cut. */
  readonly text: string;
}

/** Where a piece of a log ends; `next` is absent when it was the last for now. */
export interface LogPiece {
  readonly lines: readonly string[];
  readonly next: string | undefined;
}

export interface TriggerBody {
  readonly runId: string;
  readonly conf: Readonly<Record<string, JsonValue>>;
  /** ISO 8601 with an offset; absent: none in Airflow 3, now in Airflow 2. */
  readonly logicalDate?: string | undefined;
  readonly note?: string | undefined;
}

/** Which task instances of a run are cleared. */
export interface ClearWish {
  /** Every mapped one of them. */
  readonly taskIds: readonly string[];
  /** Only those that failed or could not run because another one had. */
  readonly onlyFailed: boolean;
  /** Whether the run goes on then; else it stays as it is. */
  readonly goesOn: boolean;
}

/**
 * One Airflow server in the words of both its APIs. Every method asks anew, with credentials that are still good; one
 * refused with 401 is asked for once more with fresh ones. Reading is tried again where that does no harm; answers
 * are checked against what is needed of them.
 *
 * Methods throw {PlumblineError} `ERR_AIRFLOW_REFUSED`, `ERR_AIRFLOW_PROTOCOL` (also for an answer about another run),
 * `ERR_AIRFLOW_UNAVAILABLE` and what the credentials throw; the signal's reason when it aborts. `undefined` is for what the server says is not there.
 */
export interface AirflowApi {
  /** No slash at the end. */
  readonly url: string;
  readonly api: ApiVersion;
  /** `3.3.2`. */
  readonly version: string;
  readonly features: AirflowFeatures;
  dag(dagId: string, signal: AbortSignal): Promise<AirflowDag | undefined>;
  /** Those whose file name contains the text; all of them without it. At most 20. */
  importErrors(file: string | undefined, signal: AbortSignal): Promise<readonly ImportError[]>;
  tasks(dagId: string, signal: AbortSignal): Promise<readonly AirflowTask[]>;
  setPaused(dagId: string, isPaused: boolean, signal: AbortSignal): Promise<void>;
  run(dagId: string, runId: string, signal: AbortSignal): Promise<AirflowRun | undefined>;
  /** Many runs by one request for each page; those that are not there are left out. */
  runs(wanted: readonly RunName[], signal: AbortSignal): Promise<readonly AirflowRun[]>;
  /** How many runs of the DAG are running. */
  runningRuns(dagId: string, signal: AbortSignal): Promise<number>;
  /**
   * Not tried again.
   * @throws {PlumblineError} also `ERR_AIRFLOW_CONFLICT` (409), `ERR_DAG_NOT_FOUND`, `ERR_DAG_CONF_INVALID` (400 or 422)
   */
  trigger(dagId: string, body: TriggerBody, signal: AbortSignal): Promise<AirflowRun>;
  /** Sets a run's state; the answer is the run as it stands then, which may still be going. */
  setState(run: RunName, state: 'failed', signal: AbortSignal): Promise<AirflowRun>;
  setNote(run: RunName, note: string, signal: AbortSignal): Promise<void>;
  /** Clears task instances of a run. Not tried again. @returns how many */
  clear(run: RunName, wanted: ClearWish, signal: AbortSignal): Promise<number>;
  /**
   * Every task instance, page by page; with `changedSince` (milliseconds since the epoch) those that changed since. Never a part
   * of them: `ERR_AIRFLOW_PROTOCOL` when the server gives fewer than it counts, or says that there is no such list.
   */
  taskInstances(
    run: RunName,
    options: { readonly changedSince?: number | undefined; readonly signal: AbortSignal },
  ): Promise<readonly AirflowTaskInstance[]>;
  log(
    run: RunName,
    task: {
      readonly taskId: string;
      readonly mapIndex: number;
      readonly tryNumber: number;
      readonly from?: string | undefined;
    },
    signal: AbortSignal,
  ): Promise<LogPiece | undefined>;
  /** A value that a task has pushed; `undefined` when there is none. */
  xcom(
    run: RunName,
    value: { readonly taskId: string; readonly mapIndex: number; readonly key: string },
    signal: AbortSignal,
  ): Promise<JsonValue | undefined>;
  /** Assets that the run's tasks have written. */
  assetEvents(run: RunName, signal: AbortSignal): Promise<readonly AirflowAssetEvent[]>;
  /** `undefined` when the server does not say, for whatever reason: a word beside an error, never an error itself. */
  health(signal: AbortSignal): Promise<AirflowHealth | undefined>;
  /** The run's state, at once and then every `intervalSeconds`, until it has ended or the server ends it. Only with `features.wait`. */
  wait(run: RunName, intervalSeconds: number, signal: AbortSignal): AsyncIterable<string>;
}

export interface RunName {
  readonly dagId: string;
  readonly runId: string;
}
