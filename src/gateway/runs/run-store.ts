import type { RunOutcome, RunState, RunUpdate } from '#core/run.ts';
import type { CancelReason } from '#engines/engine.ts';
import type { NewRunRow, RunChange, RunRow } from '../store/schema.ts';
import type { Store, StoreTransaction } from '../store/store.ts';
import type { CodeFacts, RunRecord, SecretFact } from './run-record.ts';
import { asStoredRun, type NumberedUpdate, type StoredRun } from './run-row.ts';

/** What became of an attempt to store a new run. */
export type Insertion = 'created' | 'exists' | 'full';

export interface QueueLimits {
  readonly queued: number;
  readonly queuedPerCaller: number;
}

/** The oldest waiting run of a caller under a role. */
export interface QueueHead {
  readonly role: string;
  readonly scope: string;
  readonly id: string;
}

export interface AttemptStart {
  readonly attempt: number;
  readonly startedAt: number;
  readonly deadlineAt: number;
  readonly decision: RunRecord['decision'];
}

const WAITING = ['accepted', 'queued'] as const;
const STARTED = ['launching', 'running'] as const;
const ROWS_AT_ONCE = 32;

/**
 * Runs and their updates in the store. Every change of a phase says from which phase it goes and answers whether it
 * happened: of two that want to change a run at the same time, one is told that it came too late.
 */
export class RunStore {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  async find(id: string): Promise<StoredRun | undefined> {
    const row = await this.#store.database.selectFrom('runs').selectAll().where('id', '=', id).executeTakeFirst();
    return row && asStoredRun(row);
  }

  async findByKey(scope: string, key: string): Promise<StoredRun | undefined> {
    const query = this.#store.database.selectFrom('runs').selectAll();
    const row = await query.where('scope', '=', scope).where('key', '=', key).executeTakeFirst();
    return row && asStoredRun(row);
  }

  /** Runs that have not come to the end of their way, oldest first. */
  async unclosed(phases: readonly RunRow['phase'][]): Promise<readonly StoredRun[]> {
    const query = this.#store.database.selectFrom('runs').selectAll().where('phase', 'in', phases);
    return (await query.orderBy('id').execute()).map(asStoredRun);
  }

  async queueHeads(): Promise<readonly QueueHead[]> {
    return this.#store.database
      .selectFrom('runs')
      .select(({ fn }) => ['role', 'scope', fn.min('id').as('id')])
      .where('phase', '=', 'queued')
      .groupBy(['role', 'scope'])
      .execute();
  }

  async count(phases: readonly RunRow['phase'][]): Promise<number> {
    const query = this.#store.database.selectFrom('runs').select(({ fn }) => fn.countAll<number>().as('count'));
    return (await query.where('phase', 'in', phases).executeTakeFirstOrThrow()).count;
  }

  insert(row: NewRunRow, limits: QueueLimits): Promise<Insertion> {
    return this.#store.transaction(async (transaction) => {
      const known = transaction
        .selectFrom('runs')
        .select('id')
        .where('scope', '=', row.scope)
        .where('key', '=', row.key);
      if (await known.executeTakeFirst()) return 'exists';
      if (await isFull(transaction, row.scope, limits)) return 'full';
      await transaction.insertInto('runs').values(row).execute();
      const update: RunUpdate = { kind: 'state', state: 'queued', at: row.created_at };
      await insertUpdates(transaction, row.id, 0, 0, [update]);
      return 'created';
    });
  }

  queue(id: string): Promise<boolean> {
    return this.#change(id, ['accepted'], { phase: 'queued' });
  }

  begin(id: string, { attempt, startedAt, deadlineAt, decision }: AttemptStart): Promise<boolean> {
    return this.#store.transaction(async (transaction) => {
      const result = await transaction
        .updateTable('runs')
        .set(({ fn, val }) => ({
          phase: 'launching',
          state: 'running',
          attempt,
          told: 0,
          started_at: fn.coalesce('started_at', val(startedAt)),
          deadline_at: deadlineAt,
          decision_json: JSON.stringify(decision),
        }))
        .where('id', '=', id)
        .where('phase', '=', 'queued')
        .where('attempt', '=', attempt - 1)
        .executeTakeFirst();
      return result.numUpdatedRows === 1n;
    });
  }

  prepared(id: string, code: CodeFacts | undefined, secrets: readonly SecretFact[]): Promise<boolean> {
    const code_json = code === undefined ? null : JSON.stringify(code);
    return this.#change(id, ['launching'], { code_json, secrets_json: JSON.stringify(secrets) });
  }

  launched(id: string, attempt: number): Promise<boolean> {
    return this.#change(id, ['launching'], { phase: 'running' }, attempt);
  }

  /** Remembers that it is to be stopped; the first reason stays. */
  requestStop(id: string, reason: CancelReason): Promise<boolean> {
    return this.#store.transaction(async (transaction) => {
      const query = transaction.updateTable('runs').set({ stop_requested: reason }).where('id', '=', id);
      const waiting = query.where('stop_requested', 'is', null).where('phase', 'in', STARTED);
      return (await waiting.executeTakeFirst()).numUpdatedRows === 1n;
    });
  }

  /** Puts a run back that has no worker any more. */
  requeue(id: string, attempt: number, { lost, at }: { lost: boolean; at: number }): Promise<NumberedUpdate[]> {
    return this.#store.transaction(async (transaction) => {
      const row = await started(transaction, id, attempt);
      if (!row) return [];
      const updates: RunUpdate[] = [{ kind: 'state', state: 'queued', at }];
      const change = { phase: 'queued', state: 'queued', deadline_at: null, updates: row.updates + 1 } as const;
      const lost_attempts = row.lost_attempts + (lost ? 1 : 0);
      await transaction
        .updateTable('runs')
        .set({ ...change, lost_attempts })
        .where('id', '=', id)
        .execute();
      return insertUpdates(transaction, id, attempt, row.updates, updates);
    });
  }

  /**
   * Stores what the launcher told of an attempt. `ordinals` are counted in what it tells, from 1: what is stored already is
   * skipped, so that telling it again does no harm.
   */
  tell(
    id: string,
    attempt: number,
    told: readonly { readonly ordinal: number; readonly update: RunUpdate }[],
  ): Promise<NumberedUpdate[]> {
    return this.#store.transaction(async (transaction) => {
      const row = await started(transaction, id, attempt);
      const fresh = told.filter(({ ordinal }) => row !== undefined && ordinal > row.told);
      const last = fresh.at(-1);
      if (!row || !last) return [];
      const change: RunChange = { updates: row.updates + fresh.length, told: last.ordinal };
      await transaction.updateTable('runs').set(change).where('id', '=', id).execute();
      const updates = fresh.map(({ update }) => update);
      return insertUpdates(transaction, id, attempt, row.updates, updates);
    });
  }

  /** Stores the outcome; empty when the run had ended, or is in none of these phases. */
  end(
    id: string,
    outcome: RunOutcome,
    from: 'waiting' | { readonly attempt: number },
  ): Promise<{ readonly updates: readonly NumberedUpdate[]; readonly ended: boolean }> {
    return this.#store.transaction(async (transaction) => {
      const row = await (from === 'waiting' ? waiting(transaction, id) : started(transaction, id, from.attempt));
      if (!row) return { updates: [], ended: false };
      const { tasks, ...kept } = outcome;
      const updates: RunUpdate[] = [
        { kind: 'state', state: outcome.state, at: outcome.endedAt },
        { kind: 'outcome', outcome: { ...kept, tasks: [] } },
      ];
      const change: RunChange = {
        phase: 'ended',
        state: outcome.state satisfies RunState,
        // A worker's clock counts parts of milliseconds; what the API says of a run are whole ones.
        ended_at: Math.round(outcome.endedAt),
        outcome_json: JSON.stringify(kept),
        identity_json: null,
        updates: row.updates + updates.length,
      };
      await transaction.updateTable('runs').set(change).where('id', '=', id).execute();
      return { updates: await insertUpdates(transaction, id, row.attempt, row.updates, updates), ended: true };
    });
  }

  /** Its end is in the audit: nothing is left to do. */
  close(id: string): Promise<boolean> {
    return this.#change(id, ['ended'], { phase: 'closed' });
  }

  async updates(id: string, after: number, limit: number): Promise<NumberedUpdate[]> {
    const query = this.#store.database.selectFrom('run_events').select(['sequence', 'update_json']);
    const rows = await query
      .where('run_id', '=', id)
      .where('sequence', '>', after)
      .orderBy('sequence')
      .limit(limit)
      .execute();
    return rows.map(({ sequence, update_json }) => ({ sequence, update: JSON.parse(update_json) as RunUpdate }));
  }

  /** Closed runs that ended before, oldest first. */
  async endedBefore(
    time: number,
    limit: number,
  ): Promise<readonly { readonly id: string; readonly attempt: number }[]> {
    const query = this.#store.database.selectFrom('runs').select(['id', 'attempt']);
    return query.where('phase', '=', 'closed').where('ended_at', '<', time).orderBy('ended_at').limit(limit).execute();
  }

  /** With its updates. */
  async remove(id: string): Promise<void> {
    await this.#store.transaction(async (transaction) => {
      await transaction.deleteFrom('run_events').where('run_id', '=', id).execute();
      await transaction.deleteFrom('runs').where('id', '=', id).where('phase', '=', 'closed').execute();
    });
  }

  #change(id: string, from: readonly RunRow['phase'][], change: RunChange, attempt?: number): Promise<boolean> {
    return this.#store.transaction(async (transaction) => {
      let query = transaction.updateTable('runs').set(change).where('id', '=', id).where('phase', 'in', from);
      if (attempt !== undefined) query = query.where('attempt', '=', attempt);
      return (await query.executeTakeFirst()).numUpdatedRows === 1n;
    });
  }
}

type Standing = Pick<RunRow, 'updates' | 'told' | 'lost_attempts' | 'attempt'>;

function started(transaction: StoreTransaction, id: string, attempt: number): Promise<Standing | undefined> {
  const query = transaction
    .selectFrom('runs')
    .select(['updates', 'told', 'lost_attempts', 'attempt'])
    .where('id', '=', id);
  return query.where('phase', 'in', STARTED).where('attempt', '=', attempt).executeTakeFirst();
}

function waiting(transaction: StoreTransaction, id: string): Promise<Standing | undefined> {
  const query = transaction
    .selectFrom('runs')
    .select(['updates', 'told', 'lost_attempts', 'attempt'])
    .where('id', '=', id);
  return query.where('phase', 'in', WAITING).executeTakeFirst();
}

async function isFull(transaction: StoreTransaction, scope: string, limits: QueueLimits): Promise<boolean> {
  const queued = transaction
    .selectFrom('runs')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('phase', 'in', WAITING);
  if ((await queued.executeTakeFirstOrThrow()).count >= limits.queued) return true;
  return (await queued.where('scope', '=', scope).executeTakeFirstOrThrow()).count >= limits.queuedPerCaller;
}

async function insertUpdates(
  transaction: StoreTransaction,
  run_id: string,
  attempt: number,
  after: number,
  updates: readonly RunUpdate[],
): Promise<NumberedUpdate[]> {
  const numbered = updates.map((update, index) => ({ sequence: after + index + 1, update }));
  for (let from = 0; from < numbered.length; from += ROWS_AT_ONCE) {
    const rows = numbered.slice(from, from + ROWS_AT_ONCE);
    const values = rows.map(({ sequence, update }) => ({
      run_id,
      sequence,
      attempt,
      update_json: JSON.stringify(update),
    }));
    await transaction.insertInto('run_events').values(values).execute();
  }
  return numbered;
}
