import type { TaskGraph } from '#core/graph.ts';
import type { RunRef, RunState, RunUpdate } from '#core/run.ts';

export interface EngineCapabilities {
  /** A run goes on when the process that started it is gone. */
  readonly survivesCaller: boolean;
  readonly taskLogs: boolean;
  /** The graph of a definition can be had without a run. */
  readonly staticGraph: boolean;
}

/** What the engine knows of a run with a given id, alive or ended. */
export interface FoundRun {
  readonly ref: RunRef;
  readonly state: RunState;
  /** Identifies the attempt of stage, job and step that started it. */
  readonly attempt: string;
}

/**
 * The port that every workflow engine implements, so that a step speaks the same way to all of them.
 * `Request` is the engine's own description of what to run; it always carries the run's id.
 */
export interface Engine<Request extends { readonly id: string }> {
  readonly name: string;
  readonly capabilities: EngineCapabilities;
  /** Starts the run; with an id that is already known it starts nothing and returns that run. */
  start(request: Request, signal: AbortSignal): Promise<RunRef>;
  find(id: string, signal: AbortSignal): Promise<FoundRun | undefined>;
  /** Every transition in order; the last update is the outcome. Does not stop the run when the consumer leaves. */
  follow(ref: RunRef, signal: AbortSignal): AsyncIterable<RunUpdate>;
  /** `stopped`: the engine confirmed. `requested`: it is still winding down. */
  cancel(ref: RunRef, reason: CancelReason): Promise<'stopped' | 'requested'>;
  graph(of: RunRef, signal: AbortSignal): Promise<TaskGraph>;
  /** Lets a run that ended without success go on where it failed. Absent: this engine cannot. */
  resume?(ref: RunRef, attempt: string, signal: AbortSignal): Promise<RunRef>;
}

export type CancelReason = 'cancelled' | 'deadline';
