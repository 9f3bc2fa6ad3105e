import { CompiledQuery, type DatabaseConnection, type Driver, SqliteDialect, SqliteDriver } from 'kysely';
import { type Clock, systemClock } from '#core/clock.ts';
import type { SqliteConnection } from './sqlite-connection.ts';
import { isLocked } from './store-error.ts';

/** How long a lock of another program is waited for before a request is refused. */
const LOCK_PATIENCE_MS = 2_000;
const LOCK_PAUSE_MS = 40;

/** SQLite with transactions that take the write lock at their beginning: a lock is met before anything was done. */
export class StoreDialect extends SqliteDialect {
  readonly #connection: SqliteConnection;
  readonly #clock: Clock;

  constructor(connection: SqliteConnection, clock: Clock = systemClock) {
    super({ database: connection });
    this.#connection = connection;
    this.#clock = clock;
  }

  override createDriver(): Driver {
    return new StoreDriver(this.#connection, this.#clock);
  }
}

class StoreDriver extends SqliteDriver {
  readonly #database: SqliteConnection;
  readonly #clock: Clock;

  constructor(database: SqliteConnection, clock: Clock) {
    super({ database });
    this.#database = database;
    this.#clock = clock;
  }

  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    const giveUpAt = this.#clock.now() + LOCK_PATIENCE_MS;
    for (;;) {
      try {
        await connection.executeQuery(CompiledQuery.raw('begin immediate'));
        return;
      } catch (thrown) {
        if (!isLocked(thrown) || this.#clock.now() >= giveUpAt) throw thrown;
        await this.#clock.sleep(LOCK_PAUSE_MS);
      }
    }
  }

  override async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('commit'));
  }

  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    try {
      await connection.executeQuery(CompiledQuery.raw('rollback'));
    } catch {
      // After a full or failed disk SQLite has often rolled back by itself; closing undoes what it has not.
      this.#database.reopen();
    }
  }
}
