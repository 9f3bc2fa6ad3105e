import { systemClock } from '#core/clock.ts';
import { asPlumblineError } from '#core/errors.ts';
import type { TaskGraph } from '#core/graph.ts';
import type { CancelReason } from '#engines/engine.ts';
import type { Lineage } from '#lineage/describe-lineage.ts';
import type { Caller } from '../auth/caller.ts';
import type { OutputPart, OutputRange } from '../launch/launcher.ts';
import type { WorkerSource } from '../workers/worker-source.ts';
import {
  auditedDecision,
  decideRun,
  denied,
  isPermission,
  keptDecision,
  keyReused,
  queueFull,
  unknownRun,
} from './admission.ts';
import { cancelRun } from './cancel-run.ts';
import { newRecord, newRow } from './new-run.ts';
import type { RunServiceOptions } from './run-collaborators.ts';
import { persistently, type RunContext } from './run-context.ts';
import { graphOf } from './run-graph.ts';
import { auditedCaller, auditedRun, RunJournal } from './run-journal.ts';
import { lineageOf } from './run-lineage.ts';
import { listRuns, type RunFilter, type RunPage } from './run-pages.ts';
import type { RunRecord, RunSpecification } from './run-record.ts';
import { RunRetention } from './run-retention.ts';
import { fingerprintOf, hasEnded, type NumberedUpdate, type StoredRun } from './run-row.ts';
import { RunScheduler } from './run-scheduler.ts';
import { type Insertion, type QueueLimits, RunStore } from './run-store.ts';
import { runWorkers } from './run-workers.ts';
import { foldTasks } from './task-fold.ts';
import { UpdateHub } from './update-hub.ts';
import { uuidV7 } from './uuid-v7.ts';

export interface CreatedRun {
  readonly run: RunRecord;
  /** `false`: the key was there with the same specification, and this is the first answer's run. */
  readonly created: boolean;
}

export interface CancelAnswer {
  readonly answer: 'stopped' | 'requested';
  readonly run: RunRecord;
}

const CANCEL_WAIT_MS = 10_000;
const NO_OUTPUT: OutputPart = { bytes: new Uint8Array(), total: 0, droppedBytes: 0 };

/**
 * The runs of a gateway. An accepted run is never lost; there is at most one worker for each attempt; nothing is done that
 * was not put on record before. Everything is scoped to the caller: a run of another scope is `ERR_RUN_UNKNOWN`, and so is
 * any other run than its own to a caller with a run's token.
 */
export class RunService {
  readonly #options: RunServiceOptions;
  readonly #context: RunContext;
  readonly #scheduler: RunScheduler;
  readonly #closing = new AbortController();
  readonly #newId: () => string;
  readonly #workers: WorkerSource;
  /** Creations under one key follow one another. */
  readonly #creating = new Map<string, Promise<unknown>>();

  private constructor(options: RunServiceOptions) {
    const { store, audit, clock = systemClock, log = () => {} } = options;
    this.#options = options;
    this.#context = {
      ...options,
      runs: new RunStore(store),
      hub: new UpdateHub(),
      journal: new RunJournal(audit, clock),
      clock,
      closing: this.#closing.signal,
      log,
    };
    this.#scheduler = new RunScheduler(this.#context, options.limits);
    this.#newId = uuidV7(() => clock.now());
    this.#workers = runWorkers((id) => this.#scheduler.attemptOf(id), options.launcher);
  }

  /**
   * Takes up what an earlier process left: live workers are adopted, runs that never began wait again, the rest is followed
   * to its end. Then waiting runs start.
   *
   * @throws {PlumblineError} `ERR_STORE_UNAVAILABLE`
   */
  static async start(options: RunServiceOptions): Promise<RunService> {
    const service = new RunService(options);
    const left = await service.#context.runs.unclosed(['launching', 'running', 'ended']);
    for (const run of left) service.#scheduler.resume(run);
    service.#scheduler.wake();
    if (options.keepEndedMs !== undefined) void new RunRetention(service.#context, options.keepEndedMs).keepGoing();
    return service;
  }

  /**
   * Decides, puts it on record, under the id of the request, and stores it; the worker starts when it is this run's turn.
   *
   * @throws {PlumblineError} `ERR_RUN_DENIED`, `ERR_RUN_KEY_REUSED`, `ERR_QUEUE_FULL`, `ERR_AUDIT_UNAVAILABLE`,
   *   `ERR_STORE_UNAVAILABLE`; after the last two it may have been accepted all the same: ask again with the same key
   */
  create(caller: Caller, key: string, specification: RunSpecification, requestId?: string): Promise<CreatedRun> {
    const lane = JSON.stringify([caller.scope, key]);
    const before = this.#creating.get(lane) ?? Promise.resolve();
    const creation = before.catch(() => undefined).then(() => this.#create(caller, key, specification, requestId));
    this.#creating.set(lane, creation);
    const leave = () => {
      if (this.#creating.get(lane) === creation) this.#creating.delete(lane);
    };
    creation.then(leave, leave);
    return creation;
  }

  /** Of whoever created the run; `undefined` when there is none. @throws {PlumblineError} `ERR_STORE_UNAVAILABLE` */
  async scopeOf(id: string): Promise<string | undefined> {
    return (await this.#context.runs.find(id))?.record.scope;
  }

  /** @throws {PlumblineError} `ERR_RUN_UNKNOWN`, `ERR_STORE_UNAVAILABLE` */
  async read(caller: Caller, id: string): Promise<RunRecord> {
    return (await this.#own(caller, id)).record;
  }

  list(caller: Caller, filter: RunFilter): Promise<RunPage> {
    return listRuns(this.#options.store.database, caller, filter);
  }

  /** At most `limit` updates with a number above `after`, in order; nothing yet is an empty list. */
  async updates(id: string, after: number, limit: number): Promise<readonly NumberedUpdate[]> {
    return this.#context.hub.page(id, after, limit) ?? (await this.#context.runs.updates(id, after, limit));
  }

  /** Calls back after each stored update of the run; answers how to stop that. */
  watch(id: string, notify: () => void): () => void {
    return this.#context.hub.watch(id, notify);
  }

  /**
   * Ends it, or asks its worker to stop. A run that has ended stays as it ended.
   *
   * @throws {PlumblineError} `ERR_RUN_UNKNOWN`, `ERR_AUDIT_UNAVAILABLE`, `ERR_STORE_UNAVAILABLE`
   */
  async cancel(caller: Caller, id: string, reason: CancelReason, requestId?: string): Promise<CancelAnswer> {
    const run = await this.#own(caller, id);
    if (hasEnded(run)) return { answer: 'stopped', run: run.record };
    const { journal } = this.#context;
    const facts = { ...auditedRun(run.record), caller: auditedCaller(caller), requestId, reason };
    await journal.intent('run.cancel.intent', id, facts);
    const wait = this.#options.cancelWaitMs ?? CANCEL_WAIT_MS;
    const answer = await cancelRun(this.#context, this.#scheduler, run, reason, wait);
    journal.record('run.cancel.outcome', id, { ...facts, result: answer }).catch(() => undefined);
    this.#scheduler.wake();
    return { answer, run: (await this.#own(caller, id)).record };
  }

  /** What the newest attempt wrote; nothing while it waits. */
  async output(id: string, range: OutputRange): Promise<OutputPart> {
    const run = await this.#context.runs.find(id);
    if (!run || run.record.attempt === 0) return NO_OUTPUT;
    return this.#context.launcher.output(id, run.record.attempt, range);
  }

  /** The tasks as far as they are known; `undefined` while there is no root. @throws {PlumblineError} `ERR_RUN_UNKNOWN` */
  async graph(caller: Caller, id: string): Promise<TaskGraph | undefined> {
    const { record } = await this.#own(caller, id);
    return graphOf(record, await foldTasks(this.#context.runs, id));
  }

  /** The OpenLineage events; `undefined` until it has ended. @throws {PlumblineError} `ERR_RUN_UNKNOWN` */
  async lineage(caller: Caller, id: string): Promise<Lineage | undefined> {
    const { record } = await this.#own(caller, id);
    return record.outcome && lineageOf(record, record.outcome, await foldTasks(this.#context.runs, id));
  }

  /** How many runs wait and how many go on, for metrics. @throws {PlumblineError} `ERR_STORE_UNAVAILABLE` */
  async counts(): Promise<{ readonly queued: number; readonly running: number }> {
    const running = [...this.#scheduler.running().values()].reduce((sum, count) => sum + count, 0);
    return { queued: await this.#context.runs.count(['accepted', 'queued']), running };
  }

  /** Why waiting runs are not started at the moment, beside the limits; `undefined` when nothing is in the way. */
  problem(): string | undefined {
    return this.#scheduler.problem ?? this.#options.store.problem();
  }

  /** The attempts that go on, for whoever they bring their token to. */
  get workers(): WorkerSource {
    return this.#workers;
  }

  /** Resolves when it is known what became of every worker of an earlier process. */
  recovered(): Promise<void> {
    return this.#scheduler.recovered();
  }

  /** To be called when the policy has changed: a role may have more room now. */
  policyChanged(): void {
    this.#scheduler.wake();
  }

  /** Stops working on runs; workers go on, and the next process takes them over. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#context.journal.close();
    await Promise.allSettled(this.#creating.values());
    await this.#scheduler.settled();
  }

  async #create(
    caller: Caller,
    key: string,
    specification: RunSpecification,
    requestId: string | undefined,
  ): Promise<CreatedRun> {
    const { runs, journal, policy, clock } = this.#context;
    // Its token is for one run; it must not learn of another by its key.
    if (caller.runId !== undefined) throw unknownRun(key);
    const fingerprint = fingerprintOf(specification);
    const known = await runs.findByKey(caller.scope, key);
    if (known) return first(known, fingerprint);
    const id = this.#newId();
    const createdAt = clock.now();
    const decision = decideRun(policy(), caller, specification, createdAt);
    const { isolation } = this.#context.launcher;
    const given = { id, key, caller, specification, fingerprint, createdAt, isolation };
    const record = newRecord({ ...given, decision: keptDecision(decision) });
    const facts = { ...auditedRun(record), caller: auditedCaller(caller), requestId, ...auditedDecision(decision) };
    if (!isPermission(decision)) {
      await journal.intent('run.denied', id, { ...facts, reason: 'at-creation', errorCode: 'ERR_RUN_DENIED' });
      throw denied(specification, decision);
    }
    if ((await runs.count(['accepted', 'queued'])) >= this.#limits.queued) throw queueFull(this.#limits.queued);
    await journal.intent('run.create.intent', id, facts);
    return this.#scheduler.admitting(id, () => this.#admit(record, caller));
  }

  async #admit(record: RunRecord, caller: Caller): Promise<CreatedRun> {
    const { runs, journal } = this.#context;
    const { id, scope, key, fingerprint } = record;
    const audited = auditedRun(record);
    const stored = await this.#inserted(record, caller);
    if (stored === 'full') {
      await journal.intent('run.create.outcome', id, { ...audited, result: 'refused', errorCode: 'ERR_QUEUE_FULL' });
      throw queueFull(this.#limits.queuedPerCaller);
    }
    if (stored === 'exists') {
      await journal.intent('run.create.outcome', id, { ...audited, result: 'exists' });
      const known = await persistently(this.#context, () => runs.findByKey(scope, key));
      if (known) return first(known, fingerprint);
      throw unknownRun(id);
    }
    await this.#queue(record);
    return { run: record, created: true };
  }

  async #inserted(record: RunRecord, caller: Caller): Promise<Insertion> {
    const { runs, journal } = this.#context;
    try {
      return await runs.insert(newRow(record, caller), this.#limits);
    } catch (thrown) {
      // A disk that fails in the moment of the commit leaves both possible; what is stored is queued later.
      const { code: errorCode } = asPlumblineError(thrown);
      await journal.intent('run.create.outcome', record.id, { ...auditedRun(record), result: 'failed', errorCode });
      throw thrown;
    }
  }

  /** It is accepted; when this cannot be recorded now, it waits for the record before it waits for its turn. */
  async #queue(record: RunRecord): Promise<void> {
    const { runs, journal, log } = this.#context;
    try {
      await journal.intent('run.create.outcome', record.id, { ...auditedRun(record), result: 'queued' });
      await runs.queue(record.id);
    } catch (thrown) {
      log('A run was accepted and waits for its record', { run: record.id, why: String(thrown) });
    }
  }

  async #own(caller: Caller, id: string): Promise<StoredRun> {
    const run = await this.#context.runs.find(id);
    const isOwn = run?.record.scope === caller.scope && (caller.runId === undefined || caller.runId === id);
    if (run === undefined || !isOwn) throw unknownRun(id);
    return run;
  }

  get #limits(): QueueLimits {
    const { queued, queuedPerCaller = Math.max(1, Math.ceil(queued / 2)) } = this.#options.limits;
    return { queued, queuedPerCaller };
  }
}

/** The first answer again; the same key for another run is a mistake. */
function first({ record }: StoredRun, fingerprint: string): CreatedRun {
  if (record.fingerprint !== fingerprint) throw keyReused(record.key);
  return { run: record, created: false };
}
