import type { TaskGraph } from '#core/graph.ts';
import type { CancelReason } from '#engines/engine.ts';
import type { Lineage } from '#lineage/describe-lineage.ts';
import type { Caller } from '../auth/caller.ts';
import type { OutputPart, OutputRange } from '../launch/launcher.ts';
import type { RunFilter, RunPage } from '../runs/run-pages.ts';
import type { RunRecord, RunSpecification } from '../runs/run-record.ts';
import type { NumberedUpdate } from '../runs/run-row.ts';

/**
 * The runs as the API sees them. Everything is scoped to the caller: a run of another scope is `ERR_RUN_UNKNOWN`, and so is
 * any other run than its own to a caller with a run's token.
 */
export interface GatewayRuns {
  /**
   * Decides, audits with the id of the request, and stores; the worker starts later. `created: false`: the key was there with the same specification.
   * @throws {PlumblineError} `ERR_RUN_DENIED`, `ERR_RUN_KEY_REUSED`, `ERR_QUEUE_FULL`, `ERR_AUDIT_UNAVAILABLE`, `ERR_STORE_UNAVAILABLE`
   */
  create(
    caller: Caller,
    key: string,
    specification: RunSpecification,
    requestId: string,
  ): Promise<{ readonly run: RunRecord; readonly created: boolean }>;
  /** Of whoever created the run; `undefined` when there is none. */
  scopeOf(id: string): string | undefined | Promise<string | undefined>;
  /** @throws {PlumblineError} `ERR_RUN_UNKNOWN` */
  read(caller: Caller, id: string): Promise<RunRecord>;
  list(caller: Caller, filter: RunFilter): Promise<RunPage>;
  /** At most `limit` updates with a number above `after`, in order; nothing yet is an empty list. */
  updates(id: string, after: number, limit: number): Promise<readonly NumberedUpdate[]>;
  /** Calls after each stored update of the run, with its number; answers how to stop that. */
  watch(id: string, notify: () => void): () => void;
  /** @throws {PlumblineError} `ERR_RUN_UNKNOWN`, `ERR_AUDIT_UNAVAILABLE` */
  cancel(
    caller: Caller,
    id: string,
    reason: CancelReason,
    requestId: string,
  ): Promise<{ readonly answer: 'stopped' | 'requested'; readonly run: RunRecord }>;
  /** The tasks as far as they are known; `undefined` while there is no root. @throws {PlumblineError} `ERR_RUN_UNKNOWN` */
  graph(caller: Caller, id: string): Promise<TaskGraph | undefined>;
  /** The OpenLineage events; `undefined` until it has ended. @throws {PlumblineError} `ERR_RUN_UNKNOWN` */
  lineage(caller: Caller, id: string): Promise<Lineage | undefined>;
  /** Of the last attempt, as it was written; nothing while it waits. */
  output(id: string, range: OutputRange): Promise<OutputPart>;
}
