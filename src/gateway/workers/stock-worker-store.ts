import type { Caller } from '../auth/caller.ts';
import type { StockWorkerRow } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import type { EndedStockWorker, StockWorker, StockWorkerEnd, StockWorkerSpecification } from './stock-worker.ts';

/** What is known of a key: the fingerprint, and the worker while it is not known to have ended. */
export interface KnownKey {
  readonly fingerprint: string;
  readonly worker: StockWorker | undefined;
}

/** Registrations of Luigi workers elsewhere, in the store. */
export class StockWorkerStore {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Those that nobody has ended, also when their time is over. */
  async open(): Promise<readonly StockWorker[]> {
    const rows = await this.#rows().where('ended_at', 'is', null).orderBy('id').execute();
    return rows.flatMap((row) => asStockWorker(row) ?? []);
  }

  async findByKey(scope: string, key: string): Promise<KnownKey | undefined> {
    const row = await this.#rows().where('scope', '=', scope).where('key', '=', key).executeTakeFirst();
    return row && { fingerprint: row.fingerprint, worker: asStockWorker(row) };
  }

  async insert(worker: StockWorker): Promise<void> {
    const { id, key, caller, fingerprint, specification, createdAt, expiresAt } = worker;
    const row = {
      id,
      scope: caller.scope,
      key,
      fingerprint,
      specification_json: JSON.stringify(specification),
      identity_json: JSON.stringify(caller),
      created_at: createdAt,
      expires_at: expiresAt,
      recorded: 0,
    };
    await this.#store.transaction((transaction) => transaction.insertInto('stock_workers').values(row).execute());
  }

  /** The first end stays. */
  async end(id: string, reason: StockWorkerEnd, at: number): Promise<void> {
    const change = { ended_at: at, end_reason: reason, identity_json: null };
    await this.#store.transaction((transaction) =>
      transaction.updateTable('stock_workers').set(change).where('id', '=', id).where('ended_at', 'is', null).execute(),
    );
  }

  /** Ends that are not in the audit yet. */
  async unrecorded(): Promise<readonly EndedStockWorker[]> {
    const rows = await this.#rows().where('ended_at', 'is not', null).where('recorded', '=', 0).execute();
    return rows.map(({ id, specification_json, end_reason }) => ({
      id,
      role: (JSON.parse(specification_json) as StockWorkerSpecification).role,
      reason: end_reason as StockWorkerEnd,
    }));
  }

  async recorded(id: string): Promise<void> {
    await this.#store.transaction((transaction) =>
      transaction.updateTable('stock_workers').set({ recorded: 1 }).where('id', '=', id).execute(),
    );
  }

  async removeEndedBefore(at: number): Promise<void> {
    await this.#store.transaction((transaction) =>
      transaction.deleteFrom('stock_workers').where('recorded', '=', 1).where('ended_at', '<', at).execute(),
    );
  }

  #rows() {
    return this.#store.database.selectFrom('stock_workers').selectAll();
  }
}

function asStockWorker(row: StockWorkerRow): StockWorker | undefined {
  if (row.ended_at !== null || row.identity_json === null) return undefined;
  return {
    id: row.id,
    key: row.key,
    caller: JSON.parse(row.identity_json) as Caller,
    specification: JSON.parse(row.specification_json) as StockWorkerSpecification,
    fingerprint: row.fingerprint,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
  };
}
