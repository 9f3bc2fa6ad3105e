/** The version of docs/worker-protocol.md that this reader understands. */
export const PROTOCOL = 1;

export interface Frame {
  readonly file: string;
  readonly line: number;
  readonly function: string;
}

export interface Target {
  readonly type: string;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
}

interface Raised {
  readonly type: string;
  readonly message: string;
  readonly traceback: string;
  readonly frames: readonly Frame[];
}

/** A task's token that was refused or not to be had, or the whole run's way to luigid: then there is no task. */
export interface LostIdentity {
  readonly task: string | undefined;
  readonly family: string | undefined;
  /** One word. */
  readonly reason: string;
  readonly message: string;
  /** Of the HTTP answer, if there was one. */
  readonly status: number | undefined;
}

/** What the worker tells, see docs/worker-protocol.md. Fields that only people read are optional even where it sends them. */
export type WorkerEvent = { readonly at: number } & (
  | {
      readonly e: 'hello';
      readonly luigi: string;
      readonly python: string;
      readonly worker: string;
      readonly runId: string | undefined;
    }
  | {
      readonly e: 'refused';
      readonly code: string;
      readonly message: string;
      readonly remedy: string | undefined;
      readonly frames: readonly Frame[];
    }
  | { readonly e: 'root'; readonly task: string; readonly family: string; readonly params: Record<string, string> }
  | {
      readonly e: 'task';
      readonly task: string;
      readonly family: string;
      readonly module: string | undefined;
      readonly params: Record<string, string>;
      readonly deps: readonly string[];
      readonly status: string;
      readonly runnable: boolean;
      readonly external: boolean;
    }
  | { readonly e: 'deps'; readonly task: string; readonly deps: readonly string[] }
  | { readonly e: 'start'; readonly task: string }
  | { readonly e: 'elsewhere'; readonly task: string }
  | { readonly e: 'status'; readonly task: string; readonly message: string }
  | { readonly e: 'progress'; readonly task: string; readonly percent: number }
  | { readonly e: 'tracking'; readonly task: string; readonly url: string }
  | { readonly e: 'batch'; readonly task: string; readonly members: readonly string[] }
  | { readonly e: 'inputs'; readonly task: string; readonly targets: readonly Target[] }
  | { readonly e: 'outputs'; readonly task: string; readonly targets: readonly Target[] }
  | ({ readonly e: 'failure'; readonly task: string } & Raised)
  | ({ readonly e: 'aborted' } & Raised)
  | { readonly e: 'end'; readonly task: string; readonly status: string }
  | ({
      readonly e: 'unschedulable';
      readonly task: string | undefined;
      readonly family: string;
      readonly phase: string;
    } & Raised)
  | {
      readonly e: 'died';
      readonly task: string;
      readonly exitCode: number | undefined;
      readonly signal: string | undefined;
    }
  | { readonly e: 'stalled'; readonly task: string | undefined; readonly why: string }
  | { readonly e: 'asked'; readonly complete: boolean | null; readonly verifiable: boolean; readonly error: string }
  | ({ readonly e: 'rejected' } & LostIdentity)
  | ({ readonly e: 'reported' } & LostIdentity)
  | { readonly e: 'bye'; readonly exitCode: number; readonly lost: number }
);

export type WorkerEventName = WorkerEvent['e'];
export type EventOf<Name extends WorkerEventName> = Extract<WorkerEvent, { e: Name }>;
