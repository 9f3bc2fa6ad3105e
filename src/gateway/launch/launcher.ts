import type { JsonValue } from '#core/json.ts';
import type { RunUpdate } from '#core/run.ts';
import type { Secret } from '#core/secret.ts';
import type { CancelReason } from '#engines/engine.ts';
import type { PythonInterpreter } from '#engines/luigi/python-interpreter.ts';

/** What a worker asks of the gateway that started it; by the socket of the user that it runs as. */
export interface GatewayOfWorker {
  /** Of this attempt alone. */
  readonly token: Secret;
  /** Each task buys a token of its own at its start. */
  readonly identities: boolean;
  /** The scheduler is reached through the gateway. */
  readonly luigid: boolean;
  /** For how long it waits for a gateway that is away. */
  readonly timeoutSeconds: number;
  /** For Luigi workers that its tasks start themselves. */
  readonly stock?:
    | {
        readonly workerId: string;
        /** With a credential in it. */
        readonly schedulerUrl: Secret;
        readonly password: Secret;
      }
    | undefined;
}

/** One attempt of a run, ready to start: everything is decided. */
export interface Launch {
  readonly runId: string;
  /** From 1. */
  readonly attempt: number;
  readonly module: string;
  readonly task: string;
  readonly parameters: Readonly<Record<string, JsonValue>>;
  readonly workers: number;
  /** `local` or a URL. */
  readonly scheduler: string;
  readonly python: PythonInterpreter;
  /** Absolute; the folder that `python -m luigi` would be run in. */
  readonly workingDirectory: string;
  /** Put before the user's module path. */
  readonly modulePath: readonly string[];
  /** The role's Unix user: a name, or `uid:gid` in numbers. */
  readonly unixUser?: string | undefined;
  /** Milliseconds that the worker may run, counted from its start; it ends then, also when nobody watches. */
  readonly maxRuntimeMs?: number | undefined;
  readonly variables: Readonly<Record<string, string>>;
  readonly secretVariables: Readonly<Record<string, Secret>>;
  readonly secretFiles: Readonly<Record<string, Secret>>;
  readonly secretParameters: Readonly<Record<string, Secret>>;
  /** Absent: it asks the gateway for nothing. */
  readonly gateway?: GatewayOfWorker | undefined;
}

/**
 * What became of an attempt that this process finds in the store after a restart.
 * `alive`: its worker runs and is adopted. `ended`: it ended; following it tells how. `neverStarted`: no worker has begun
 * and none can begin any more. `lost`: a worker began, is gone, and left no word of its end.
 */
export type Recovered = 'alive' | 'ended' | 'neverStarted' | 'lost';

/** Where in a run's output to read. */
export interface OutputRange {
  readonly start: number;
  /** Exclusive; absent: to the end. */
  readonly end?: number | undefined;
}

/**
 * Bytes as the run printed them, standard output and error in one, but for its secrets, which were masked before they reached the
 * disk. Commands to a build agent are not neutralised here: that depends on who reads them, and a range knows nothing of the
 * text before it. Whoever shows them does it (`app/safe-output.ts`).
 */
export interface OutputPart {
  /** May be fewer than asked for, at most 4 MiB at once; go on behind them. */
  readonly bytes: Uint8Array;
  /** Bytes that are there now. */
  readonly total: number;
  /** The cap was reached: what came later was counted and dropped. */
  readonly droppedBytes: number;
}

/** Starts workers that outlive this process, and finds them again. At most one worker for each attempt, whatever dies when. */
export interface Launcher {
  readonly isolation: 'user' | 'none';
  /** Makes the attempt's folder and starts the worker. Called once for an attempt; throws when nothing was started. */
  start(launch: Launch): Promise<void>;
  recover(runId: string, attempt: number): Promise<Recovered>;
  /** From the first update, the same ones in the same order each time; the last is the outcome. */
  follow(runId: string, attempt: number, signal: AbortSignal): AsyncIterable<RunUpdate>;
  /** Resolves when the worker and all that it started have ended, or says that it only asked. */
  stop(runId: string, attempt: number, reason: CancelReason): Promise<'stopped' | 'requested'>;
  output(runId: string, attempt: number, range: OutputRange): Promise<OutputPart>;
  /** The Unix user that an attempt runs as; `undefined`: nothing is known of it. From memory when it was started or recovered here. */
  uidOf(runId: string, attempt: number): number | undefined;
  /** Deletes the attempt's folder; only after its end. */
  remove(runId: string, attempt: number): Promise<void>;
}
