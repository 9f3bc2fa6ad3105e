import { type Clock, systemClock } from '#core/clock.ts';
import { asPlumblineError } from '#core/errors.ts';
import type { JsonValue } from '#core/json.ts';
import type { AuditEvent, AuditLog } from '../audit/audit-log.ts';
import type { AuditData, AuditType } from '../audit/audit-types.ts';
import { redactJson } from '../audit/redaction-guard.ts';
import type { Caller } from '../auth/caller.ts';
import type { Decision, Policy } from '../policy/policy.ts';
import { denied, isPermission, type Permission } from '../runs/admission.ts';
import { uuidV7 } from '../runs/uuid-v7.ts';
import type { Store } from '../store/store.ts';
import {
  type EndedStockWorker,
  type StockWorker,
  type StockWorkerEnd,
  type StockWorkerSpecification,
  stockWorkerId,
} from './stock-worker.ts';
import {
  auditedStockWorker,
  decideStockWorker,
  stockWorkerFingerprint,
  stockWorkerKeyReused,
  tooManyStockWorkers,
} from './stock-worker-admission.ts';
import { StockWorkerStore } from './stock-worker-store.ts';
import type { Worker } from './worker.ts';
import type { WorkerSource } from './worker-source.ts';

export interface StockWorkersOptions {
  readonly store: Store;
  readonly audit: Pick<AuditLog, 'append'>;
  /** The policy that is in force now. */
  readonly policy: () => Policy;
  /** Milliseconds for which the key of one that has ended stays taken. */
  readonly keepEndedMs: number;
  /** Alive at the same time. Default 64 of a caller, 4,096 of all. */
  readonly limits?: { readonly perCaller: number; readonly all: number } | undefined;
  readonly clock?: Clock | undefined;
  /** Trouble that no caller is told of. Never a secret. */
  readonly log?: ((message: string, facts: Readonly<Record<string, unknown>>) => void) | undefined;
}

export interface RegisteredStockWorker {
  readonly worker: StockWorker;
  /** `false`: the key was there with the same specification. */
  readonly created: boolean;
}

interface Live {
  readonly record: StockWorker;
  readonly worker: Worker;
}

const LIMITS = { perCaller: 64, all: 4_096 };
const SWEEP_EVERY_MS = 2_000;
const FORGET_EVERY_MS = 600_000;

/**
 * Luigi workers that run elsewhere (on cron hosts, in other CI) and were registered here by a verified caller. One lives until
 * it is ended, until its time is over, or until the policy no longer allows it; a restart of the gateway changes nothing.
 */
export class StockWorkers implements WorkerSource {
  readonly #options: StockWorkersOptions;
  readonly #clock: Clock;
  readonly #stored: StockWorkerStore;
  readonly #live = new Map<string, Live>();
  /** Dead, and not yet so in store and audit. */
  readonly #ending = new Map<string, EndedStockWorker>();
  readonly #closing = new AbortController();
  readonly #newId: () => string;
  #registering: Promise<unknown> = Promise.resolve();
  #settling: Promise<unknown> = Promise.resolve();

  private constructor(options: StockWorkersOptions) {
    const { clock = systemClock } = options;
    this.#options = options;
    this.#clock = clock;
    this.#stored = new StockWorkerStore(options.store);
    this.#newId = uuidV7(() => clock.now());
  }

  /** Takes up those of before. @throws {PlumblineError} `ERR_STORE_UNAVAILABLE` */
  static async open(options: StockWorkersOptions): Promise<StockWorkers> {
    const workers = new StockWorkers(options);
    for (const record of await workers.#stored.open()) workers.#add(record);
    for (const ended of await workers.#stored.unrecorded()) workers.#ending.set(ended.id, ended);
    void workers.#keepGoing();
    return workers;
  }

  find(workerId: string): Worker | undefined {
    const live = this.#live.get(workerId);
    return live !== undefined && this.#clock.now() < live.record.expiresAt ? live.worker : undefined;
  }

  /** One that is refused has ended. */
  decide(worker: Worker, policy: Policy, now: number): Decision {
    const live = this.#live.get(worker.id);
    if (live === undefined) throw new TypeError('A registered worker is asked about that has ended');
    const decision = decideStockWorker(policy, live.record.caller, live.record.specification, now);
    if (!isPermission(decision)) {
      this.#end(live.record, 'policy');
      this.#settleSoon();
    }
    return decision;
  }

  /** To be called when another policy is in force. */
  policyChanged(): void {
    const now = this.#clock.now();
    for (const { worker } of this.#live.values()) this.decide(worker, this.#options.policy(), now);
  }

  /**
   * Decides as for a run, puts it on record and stores it.
   *
   * @throws {PlumblineError} `ERR_RUN_DENIED`, `ERR_RUN_KEY_REUSED`, `ERR_QUEUE_FULL`, `ERR_AUDIT_UNAVAILABLE`,
   *   `ERR_STORE_UNAVAILABLE`; after the last two: ask again with another key
   */
  register(
    caller: Caller,
    key: string,
    specification: StockWorkerSpecification,
    requestId: string,
  ): Promise<RegisteredStockWorker> {
    // One after the other: they are few, and what is counted must not change meanwhile.
    const registered = this.#registering.then(() => this.#register(caller, key, specification, requestId));
    this.#registering = registered.catch(() => undefined);
    return registered;
  }

  /**
   * It is dead at once, also when this rejects because store or audit cannot be written; that is made up for.
   *
   * @returns whether the caller has such a worker @throws {PlumblineError} `ERR_AUDIT_UNAVAILABLE`, `ERR_STORE_UNAVAILABLE`
   */
  async end(caller: Caller, workerId: string): Promise<boolean> {
    const live = this.#live.get(workerId);
    if (live === undefined || live.record.caller.scope !== caller.scope) return false;
    this.#end(live.record, 'ended');
    await this.#settle();
    return true;
  }

  /** Whoever is dead is so in the store, if it can be written. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#registering;
    await this.#settle().catch(() => undefined);
  }

  async #register(
    caller: Caller,
    key: string,
    specification: StockWorkerSpecification,
    requestId: string,
  ): Promise<RegisteredStockWorker> {
    const fingerprint = stockWorkerFingerprint(specification);
    const known = await this.#stored.findByKey(caller.scope, key);
    if (known) return { worker: this.#same(known, fingerprint, key), created: false };
    const id = this.#newId();
    const now = this.#clock.now();
    const decision = decideStockWorker(this.#options.policy(), caller, specification, now);
    const facts = { ...auditedStockWorker(caller, specification, decision), key, requestId };
    if (!isPermission(decision)) {
      await this.#append('run.denied', id, { ...facts, reason: 'at-registration', errorCode: 'ERR_RUN_DENIED' });
      throw denied(specification, decision);
    }
    this.#refuseTooMany(caller.scope);
    const expiresAt = endOf(specification, decision, now);
    const worker = { id, key, caller, specification, fingerprint, createdAt: now, expiresAt };
    await this.#append('luigid.worker.registered', id, { ...facts, worker: stockWorkerId(id), expiresAt });
    await this.#insert(worker);
    this.#add(worker);
    return { worker, created: true };
  }

  #same(
    known: { readonly fingerprint: string; readonly worker: StockWorker | undefined },
    fingerprint: string,
    key: string,
  ) {
    const worker = known.worker && this.#live.get(stockWorkerId(known.worker.id))?.record;
    if (worker === undefined || this.find(stockWorkerId(worker.id)) === undefined || known.fingerprint !== fingerprint)
      throw stockWorkerKeyReused(key);
    return worker;
  }

  #refuseTooMany(scope: string): void {
    const { perCaller, all } = this.#options.limits ?? LIMITS;
    if (this.#live.size >= all) throw tooManyStockWorkers(all);
    const own = [...this.#live.values()].filter(({ record }) => record.caller.scope === scope);
    if (own.length >= perCaller) throw tooManyStockWorkers(perCaller);
  }

  async #insert(worker: StockWorker): Promise<void> {
    try {
      await this.#stored.insert(worker);
    } catch (thrown) {
      // A disk that fails in the moment of the commit leaves both possible.
      this.#ending.set(worker.id, { id: worker.id, role: worker.specification.role, reason: 'failed' });
      throw thrown;
    }
  }

  #add(record: StockWorker): void {
    const { id, caller, specification } = record;
    const worker: Worker = {
      id: stockWorkerId(id),
      kind: 'stock',
      runId: id,
      attempt: 0,
      caller,
      role: specification.role,
    };
    this.#live.set(worker.id, { record, worker });
  }

  #end({ id, specification }: StockWorker, reason: StockWorkerEnd): void {
    if (this.#live.delete(stockWorkerId(id))) this.#ending.set(id, { id, role: specification.role, reason });
  }

  /** Store before audit: what is on record as ended never lives again, and an audit that is away keeps nothing alive. */
  #settle(): Promise<void> {
    const settled = this.#settling.then(async () => {
      const ending = [...this.#ending.values()];
      for (const { id, reason } of ending) await this.#stored.end(id, reason, this.#clock.now());
      for (const ended of ending) await this.#recordEnd(ended);
    });
    this.#settling = settled.catch(() => undefined);
    return settled;
  }

  /** What cannot be written now is tried again by the sweep, which says so. */
  #settleSoon(): void {
    void this.#settle().catch(() => undefined);
  }

  async #recordEnd({ id, role, reason }: EndedStockWorker): Promise<void> {
    await this.#append('luigid.worker.ended', id, { worker: stockWorkerId(id), role, reason });
    await this.#stored.recorded(id);
    this.#ending.delete(id);
  }

  async #keepGoing(): Promise<void> {
    const { signal } = this.#closing;
    for (let forgottenAt = 0; !signal.aborted; ) {
      try {
        forgottenAt = await this.#sweep(forgottenAt);
      } catch (thrown) {
        const { message } = asPlumblineError(thrown);
        if (!signal.aborted) this.#options.log?.('The end of a registered worker is not stored yet', { why: message });
      }
      await this.#clock.sleep(SWEEP_EVERY_MS, signal).catch(() => undefined);
    }
  }

  async #sweep(forgottenAt: number): Promise<number> {
    const now = this.#clock.now();
    for (const { record } of this.#live.values()) if (now >= record.expiresAt) this.#end(record, 'expired');
    this.policyChanged();
    if (this.#ending.size > 0) await this.#settle();
    if (now - forgottenAt < FORGET_EVERY_MS) return forgottenAt;
    await this.#stored.removeEndedBefore(now - this.#options.keepEndedMs);
    return now;
  }

  async #append(type: StockWorkerAuditType, subject: string, facts: AuditData): Promise<void> {
    const data = redactJson(facts as unknown as JsonValue) as AuditEvent['data'];
    await this.#options.audit.append({ type: `dev.plumbline.${type}` satisfies AuditType, subject, data });
  }
}

type StockWorkerAuditType = 'run.denied' | 'luigid.worker.registered' | 'luigid.worker.ended';

function endOf({ lifetimeMs }: StockWorkerSpecification, { role, until }: Permission, now: number): number {
  const longest = now + Math.min(lifetimeMs ?? role.maxRuntimeMs, role.maxRuntimeMs);
  return until === undefined ? longest : Math.min(longest, until);
}
