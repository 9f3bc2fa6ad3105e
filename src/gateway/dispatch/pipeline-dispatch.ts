import { type Clock, systemClock } from '#core/clock.ts';
import { asPlumblineError } from '#core/errors.ts';
import type { AuditLog } from '../audit/audit-log.ts';
import type { Caller } from '../auth/caller.ts';
import { auditedCaller, RunJournal } from '../runs/run-journal.ts';
import { uuidV7 } from '../runs/uuid-v7.ts';
import type { Store } from '../store/store.ts';
import {
  auditedDispatch,
  auditedPipelineRun,
  decideDispatch,
  isPermit,
  newPipelineRunRow,
} from './dispatch-admission.ts';
import { DISPATCH_TIMES, type DispatchContext, type DispatchTimes } from './dispatch-context.ts';
import { asError, pipelineDenied, pipelineKeyReused, tooManyWaiting, unknownPipelineRun } from './dispatch-errors.ts';
import type { NumberedPipelineUpdate, PipelineRun, PipelineRunRequest } from './pipeline-run.ts';
import { PipelineRunFollower } from './pipeline-run-follower.ts';
import { parameterTexts, pipelineFingerprint } from './pipeline-run-request.ts';
import { hasEnded, type StoredPipelineRun, wasRefused } from './pipeline-run-row.ts';
import { PipelineRunStore, type WaitingLimits } from './pipeline-run-store.ts';
import { PipelineRunWatchers } from './pipeline-run-watchers.ts';
import { queuePipelineRun } from './queue-pipeline-run.ts';
import { turnsOfEach } from './turns-of-each.ts';

export interface PipelineDispatchOptions extends Pick<DispatchContext, 'policy' | 'connect'> {
  readonly store: Store;
  readonly audit: AuditLog;
  /** Milliseconds for which one that has ended is kept, with its key. */
  readonly keepEndedMs: number;
  /** Waiting to be queued at the same time. Default 1,000 of all, half of them of a caller. */
  readonly limits?: WaitingLimits | undefined;
  readonly times?: Partial<DispatchTimes> | undefined;
  readonly clock?: Clock | undefined;
  readonly counted?: DispatchContext['counted'] | undefined;
  /** Trouble that no caller is told of. Never a secret. */
  readonly log?: DispatchContext['log'] | undefined;
}

export interface CreatedPipelineRun {
  readonly run: PipelineRun;
  /** `false`: the key was there for the same. */
  readonly created: boolean;
}

const LIMITS: WaitingLimits = { all: 1_000, perCaller: 500 };
/** Azure DevOps counts what an identity asks; a DAG with a hundred tasks is no reason for a hundred connections. */
const QUEUED_AT_ONCE = 8;
const FORGET_EVERY_MS = 600_000;

/**
 * Queues pipelines of Azure DevOps for callers that policy allows, under the gateway's own identity, and follows their runs to
 * the end. Nothing is asked of Azure DevOps that was not put on record before; the same key of the same caller is the same
 * run, whenever the process ended. Everything is scoped to the caller: another's run is `ERR_RUN_UNKNOWN`.
 */
export class PipelineDispatch {
  readonly #options: PipelineDispatchOptions;
  readonly #context: DispatchContext;
  readonly #closing = new AbortController();
  readonly #newId: () => string;
  /** Creations under one key follow one another. */
  readonly #creating = new Map<string, Promise<unknown>>();
  readonly #driving = new Map<string, Promise<void>>();
  readonly #followers = new Map<string, PipelineRunFollower>();

  private constructor(options: PipelineDispatchOptions) {
    const { store, audit, clock = systemClock, policy, connect, times, counted = () => {}, log = () => {} } = options;
    this.#options = options;
    this.#context = {
      runs: new PipelineRunStore(store),
      watchers: new PipelineRunWatchers(),
      journal: new RunJournal(audit, clock),
      policy,
      connect,
      times: { ...DISPATCH_TIMES, ...times },
      inTurn: turnsOfEach(QUEUED_AT_ONCE),
      clock,
      closing: this.#closing.signal,
      counted,
      log,
    };
    this.#newId = uuidV7(() => clock.now());
  }

  /** Takes up what an earlier process left. @throws {PlumblineError} `ERR_STORE_UNAVAILABLE` */
  static async open(options: PipelineDispatchOptions): Promise<PipelineDispatch> {
    const dispatch = new PipelineDispatch(options);
    for (const run of await dispatch.#context.runs.unclosed()) dispatch.#drive(run.record.id);
    void dispatch.#forgetOld();
    return dispatch;
  }

  /**
   * Decides, puts the request on record, stores it and begins to queue it; see {@link settled}. A run that was refused is
   * asked for anew by the same key.
   *
   * @throws {PlumblineError} `ERR_INPUT_INVALID`, `ERR_PIPELINE_DENIED`, `ERR_RUN_KEY_REUSED`, `ERR_QUEUE_FULL`,
   *   `ERR_AUDIT_UNAVAILABLE`, `ERR_STORE_UNAVAILABLE`; after the last two: ask again with the same key
   */
  create(caller: Caller, key: string, request: PipelineRunRequest, requestId: string): Promise<CreatedPipelineRun> {
    const lane = JSON.stringify([caller.scope, key]);
    const before = this.#creating.get(lane) ?? Promise.resolve();
    const creation = before.catch(() => undefined).then(() => this.#create(caller, key, request, requestId));
    this.#creating.set(lane, creation);
    const leave = () => {
      if (this.#creating.get(lane) === creation) this.#creating.delete(lane);
    };
    creation.then(leave, leave);
    return creation;
  }

  /**
   * Waits until Azure DevOps has answered, or with `end` until the run has ended; at most so long.
   *
   * @returns the run as it is then @throws {PlumblineError} the refusal, when nothing was queued
   */
  async settled(id: string, { until, ms, signal }: Patience): Promise<PipelineRun> {
    let wake = () => {};
    const leave = this.#context.watchers.watch(id, () => wake());
    const time = AbortSignal.any([AbortSignal.timeout(ms), signal, this.#closing.signal]);
    try {
      for (;;) {
        const changed = new Promise<void>((resolve) => {
          wake = resolve;
          time.addEventListener('abort', () => resolve(), { once: true });
        });
        const run = await this.#context.runs.find(id);
        if (run === undefined) throw unknownPipelineRun(id);
        if (wasRefused(run) && run.record.error) throw asError(run.record.error);
        const isDone = hasEnded(run) || (until === 'queued' && run.phase === 'following');
        if (isDone || time.aborted) return run.record;
        await changed;
      }
    } finally {
      leave();
    }
  }

  /** @throws {PlumblineError} `ERR_RUN_UNKNOWN`, `ERR_STORE_UNAVAILABLE` */
  async read(caller: Caller, id: string): Promise<PipelineRun> {
    const run = await this.#context.runs.find(id);
    if (run?.record.scope !== caller.scope || caller.runId !== undefined) throw unknownPipelineRun(id);
    return run.record;
  }

  /** At most `limit` updates with a number above `after`, in order; nothing yet is an empty list. */
  async updates(id: string, after: number, limit: number): Promise<readonly NumberedPipelineUpdate[]> {
    const updates = (await this.#context.runs.find(id))?.updates ?? [];
    return updates.map((update, i) => ({ sequence: i + 1, update })).slice(after, after + limit);
  }

  /** Calls back after each change; answers how to stop that. */
  watch(id: string, notify: () => void): () => void {
    return this.#context.watchers.watch(id, notify);
  }

  /** Those that go on, for metrics. @throws {PlumblineError} `ERR_STORE_UNAVAILABLE` */
  counts(): Promise<{ readonly queued: number; readonly running: number }> {
    return this.#context.runs.counts();
  }

  /** What cannot be read of Azure DevOps at the moment; `undefined` when nothing is wrong. */
  problem(): string | undefined {
    for (const [organization, { problem }] of this.#followers)
      if (problem !== undefined) return `${organization}: ${problem}`;
    return undefined;
  }

  /** Stops working on pipeline runs; the next process goes on. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#context.journal.close();
    await Promise.allSettled([...this.#creating.values(), ...this.#driving.values()]);
    await Promise.allSettled([...this.#followers.values()].map((follower) => follower.settled()));
  }

  async #create(
    caller: Caller,
    key: string,
    request: PipelineRunRequest,
    requestId: string,
  ): Promise<CreatedPipelineRun> {
    const { runs, policy, clock, journal } = this.#context;
    // What cannot be sent is said before anything is on record.
    parameterTexts(request.templateParameters);
    const fingerprint = pipelineFingerprint(request);
    const known = await runs.findByKey(caller.scope, key);
    if (known && !isRetried(known, fingerprint)) return first(known, fingerprint);
    const id = known?.record.id ?? this.#newId();
    const now = clock.now();
    const decision = decideDispatch(policy(), caller, request, now);
    const parameters = Object.keys(request.templateParameters).sort();
    const asked = auditedPipelineRun({ ...request, key, fingerprint, templateParameters: parameters });
    const attempt = (known?.attempt ?? 0) + 1;
    const facts = { ...asked, attempt, caller: auditedCaller(caller), requestId, ...auditedDispatch(decision) };
    if (!isPermit(decision)) {
      this.#context.counted('denied');
      await journal.intent('dispatch.denied', id, { ...facts, errorCode: 'ERR_PIPELINE_DENIED' });
      throw pipelineDenied(request, decision);
    }
    await journal.intent('dispatch.queue.intent', id, facts);
    return this.#admit({ id, key, fingerprint, caller, request, decision, requestId, now }, known);
  }

  async #admit(
    given: Parameters<typeof newPipelineRunRow>[0],
    known: StoredPipelineRun | undefined,
  ): Promise<CreatedPipelineRun> {
    const { runs } = this.#context;
    const { id, caller, key } = given;
    const { limits = LIMITS } = this.#options;
    const row = newPipelineRunRow(given);
    const stored = known ? await runs.again(id, row, limits) : await runs.insert(row, limits);
    if (stored === 'full') throw tooManyWaiting(limits.all);
    if (stored === 'created') this.#drive(id);
    const run = await runs.findByKey(caller.scope, key);
    if (run === undefined) throw unknownPipelineRun(id);
    return stored === 'created' ? { run: run.record, created: true } : first(run, given.fingerprint);
  }

  /** One at a time for each. What ends it without an end is told, and taken up by the next process. */
  #drive(id: string): void {
    const before = this.#driving.get(id) ?? Promise.resolve();
    const driving = before
      .then(() => queuePipelineRun(this.#context, id))
      .then((run) => {
        if (run?.phase === 'following') this.#follow(run);
      })
      .catch((thrown) => this.#dropped(id, thrown))
      .finally(() => {
        if (this.#driving.get(id) === driving) this.#driving.delete(id);
      });
    this.#driving.set(id, driving);
  }

  async #dropped(id: string, thrown: unknown): Promise<void> {
    const { log, runs } = this.#context;
    if (this.#closing.signal.aborted) return;
    log('A pipeline run is not worked on any more', { run: id, why: asPlumblineError(thrown).message });
    const problem = 'it is not worked on until the gateway starts again: its log says why';
    await runs.problem(id, problem).catch(() => undefined);
  }

  #follow(run: StoredPipelineRun): void {
    const { organization } = run.record;
    const follower =
      this.#followers.get(organization) ??
      new PipelineRunFollower(this.#context, organization, (ended) => this.#drive(ended));
    this.#followers.set(organization, follower);
    follower.follow(run);
  }

  async #forgetOld(): Promise<void> {
    const { clock, runs, closing, log } = this.#context;
    while (!closing.aborted) {
      try {
        await runs.removeEndedBefore(clock.now() - this.#options.keepEndedMs);
      } catch (thrown) {
        log('Old pipeline runs could not be removed', { why: asPlumblineError(thrown).message });
      }
      await clock.sleep(FORGET_EVERY_MS, closing).catch(() => undefined);
    }
  }
}

export interface Patience {
  readonly until: 'queued' | 'end';
  readonly ms: number;
  /** Gives up waiting; the run goes on. */
  readonly signal: AbortSignal;
}

/** Nothing was queued: it may be asked for once more. */
function isRetried(known: StoredPipelineRun, fingerprint: string): boolean {
  return known.phase === 'closed' && wasRefused(known) && known.record.fingerprint === fingerprint;
}

/** The first answer again; the same key for another run is a mistake. */
function first({ record }: StoredPipelineRun, fingerprint: string): CreatedPipelineRun {
  if (record.fingerprint !== fingerprint) throw pipelineKeyReused(record.key);
  return { run: record, created: false };
}
