import { chmodSync, closeSync, existsSync, openSync, renameSync, rmSync } from 'node:fs';
import { backup, DatabaseSync } from 'node:sqlite';
import { Kysely, sql, type Transaction } from 'kysely';
import { type Clock, systemClock } from '#core/clock.ts';
import { PlumblineError } from '#core/errors.ts';
import { migrate } from './migrations.ts';
import type { Tables } from './schema.ts';
import { SqliteConnection } from './sqlite-connection.ts';
import { StoreDialect } from './store-driver.ts';
import { isLocked, isStoreTrouble, storeUnavailable } from './store-error.ts';
import { lockStore, type StoreLock } from './store-lock.ts';

export type Database = Kysely<Tables>;
export type StoreTransaction = Transaction<Tables>;

/** How long a lock of another program is waited for before a request is refused. */
const LOCK_PATIENCE_MS = 2_000;
const LOCK_PAUSE_MS = 40;
const PROBE_EVERY_MS = 1_000;

/** What a gateway must not forget, in one SQLite file (WAL, `synchronous=FULL`): a commit is on the disk. */
export class Store {
  readonly file: string;
  /** For queries on their own. Never inside `transaction`: there is one connection, and it would wait for itself. */
  readonly database: Database;
  readonly #connection: SqliteConnection;
  readonly #lock: StoreLock;
  readonly #clock: Clock;
  readonly #closing = new AbortController();
  #probing: Promise<void> | undefined;

  private constructor(file: string, lock: StoreLock, clock: Clock) {
    this.file = file;
    const connection = new SqliteConnection(file, () => {
      this.#probing ??= this.#probe();
    });
    this.database = new Kysely<Tables>({ dialect: new StoreDialect(connection) });
    this.#connection = connection;
    this.#lock = lock;
    this.#clock = clock;
  }

  /**
   * Opens the store, makes it when there is none, and brings it to today's version. One process at a time.
   *
   * @throws {PlumblineError} `ERR_STORE_IN_USE`, `ERR_STORE_VERSION`, `ERR_STORE_UNAVAILABLE`
   */
  static async open(file: string, clock: Clock = systemClock): Promise<Store> {
    const lock = lockStore(file);
    const store = new Store(file, lock, clock);
    try {
      makePrivate(file);
      await migrate(store.database, file, clock.now());
      return store;
    } catch (thrown) {
      await store.close();
      throw thrown;
    }
  }

  /**
   * All of it or nothing. With a lock of another program it is tried for 2 s.
   *
   * @throws {PlumblineError} `ERR_STORE_UNAVAILABLE`; then nothing of it holds, unless the disk failed in the very moment of
   *   the commit: whoever tries again must look first.
   */
  async transaction<T>(work: (transaction: StoreTransaction) => Promise<T>): Promise<T> {
    const giveUpAt = this.#clock.now() + LOCK_PATIENCE_MS;
    for (;;) {
      try {
        return await this.database.transaction().execute(work);
      } catch (thrown) {
        // A lock is met at the beginning, before anything was done; others may read while this one waits.
        if (!isLocked(thrown) || this.#clock.now() >= giveUpAt) throw thrown;
        await this.#clock.sleep(LOCK_PAUSE_MS);
      }
    }
  }

  /** Why something could not be done; `undefined` when all is well. While there is trouble it is looked again by itself. */
  problem(): string | undefined {
    return this.#connection.problem;
  }

  /** Whether it can be written now. @throws {PlumblineError} `ERR_STORE_UNAVAILABLE` */
  async check(): Promise<void> {
    await this.transaction((transaction) =>
      sql`update migrations set applied_at = applied_at where version = 1`.execute(transaction),
    );
  }

  /**
   * Copies the store as it stands to a new file (0600), while it is in use. The copy is checked before it gets its name.
   *
   * @throws {PlumblineError} `ERR_STORE_UNAVAILABLE`, also when the copy is not whole
   */
  async backup(target: string): Promise<void> {
    const unfinished = `${target}.unfinished`;
    rmSync(unfinished, { force: true });
    try {
      makePrivate(unfinished);
      await backup(this.#connection.database(), unfinished);
      checkStoreFile(unfinished);
      renameSync(unfinished, target);
    } catch (thrown) {
      rmSync(unfinished, { force: true });
      throw isStoreTrouble(thrown) ? storeUnavailable(target, thrown) : thrown;
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.database.destroy();
    this.#connection.reopen();
    this.#lock.release();
  }

  /** Who is told that the store is in trouble sends no requests; so it must be found out here when that has passed. */
  async #probe(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await this.#clock.sleep(PROBE_EVERY_MS, signal).catch(() => undefined);
      if (signal.aborted || this.problem() === undefined) break;
      await this.check().catch(() => undefined);
    }
    this.#probing = undefined;
  }
}

/**
 * Reads a whole store file, such as a backup before it is restored.
 *
 * @throws {PlumblineError} `ERR_STORE_UNAVAILABLE` when it is missing, damaged or not a store
 */
export function checkStoreFile(file: string): { readonly version: number; readonly runs: number } {
  if (!existsSync(file)) throw storeUnavailable(file, { errcode: 14 });
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file, { readOnly: true });
    const verdict = database.prepare('PRAGMA integrity_check(1)').get()?.['integrity_check'];
    const broken = database.prepare('PRAGMA foreign_key_check').get();
    if (verdict !== 'ok' || broken !== undefined) throw damaged(file);
    return { version: numberOf(database, 'max(version)', 'migrations'), runs: numberOf(database, 'count(*)', 'runs') };
  } catch (thrown) {
    if (thrown instanceof PlumblineError) throw thrown;
    throw isStoreTrouble(thrown) ? storeUnavailable(file, thrown) : damaged(file, thrown);
  } finally {
    database?.close();
  }
}

function numberOf(database: DatabaseSync, what: string, table: 'migrations' | 'runs'): number {
  return Number(database.prepare(`select ${what} as value from ${table}`).get()?.['value'] ?? 0);
}

function damaged(file: string, cause?: unknown): PlumblineError {
  return new PlumblineError('ERR_STORE_UNAVAILABLE', `Cannot use the store ${file}: the file is damaged`, {
    remedy: 'Use another backup.',
    details: { reason: 'damaged' },
    cause,
  });
}

/** SQLite gives its other files the rights of this one. */
function makePrivate(file: string): void {
  try {
    closeSync(openSync(file, 'a', 0o600));
    chmodSync(file, 0o600);
  } catch (cause) {
    throw storeUnavailable(file, { errcode: 14, cause });
  }
}
