import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import type { SqliteDatabase, SqliteStatement } from 'kysely';
import { isDamaged, isStoreTrouble, storeUnavailable } from './store-error.ts';

/** Statements that are kept prepared; more than the queries this product has. */
const MOST_STATEMENTS = 200;
/** SQLite waits for a lock with the whole process; waiting longer is done outside of it. */
const BUSY_TIMEOUT_MS = 5;

/**
 * `node:sqlite` in the shape that kysely's SQLite dialect takes. Opens the file when it is first needed, and again after an
 * error that leaves a connection useless, so that a store that was repaired is used without a restart.
 *
 * Trouble of the file becomes `ERR_STORE_UNAVAILABLE`; mistakes in a query pass as they are.
 */
export class SqliteConnection implements SqliteDatabase {
  readonly #file: string;
  readonly #onProblem: () => void;
  #database: DatabaseSync | undefined;
  readonly #statements = new Map<string, SqliteStatement>();
  #problem: string | undefined;

  /** @param onProblem called each time that something could not be done */
  constructor(file: string, onProblem: () => void = () => {}) {
    this.#file = file;
    this.#onProblem = onProblem;
  }

  /** Why something could not be done; `undefined` when nothing was wrong since a change was last stored. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** For a backup; the connection stays ours. */
  database(): DatabaseSync {
    return this.#guarded(() => this.#opened());
  }

  prepare(sql: string): SqliteStatement {
    return this.#statements.get(sql) ?? this.#guarded(() => this.#kept(sql, this.#opened().prepare(sql)));
  }

  close(): void {
    this.#statements.clear();
    const database = this.#database;
    this.#database = undefined;
    database?.close();
  }

  #kept(sql: string, statement: StatementSync): SqliteStatement {
    if (this.#statements.size >= MOST_STATEMENTS) this.#statements.clear();
    const reader = statement.columns().length > 0;
    const kept: SqliteStatement = {
      reader,
      all: (values) => this.#guarded(() => statement.all(...asInput(values))),
      run: (values) => this.#guarded(() => this.#ran(sql, statement.run(...asInput(values)))),
      iterate: (values) => this.#guarded(() => statement.iterate(...asInput(values)) as IterableIterator<unknown>),
    };
    this.#statements.set(sql, kept);
    return kept;
  }

  /** Reading may go well while nothing can be written: only a change that is on the disk says that all is well again. */
  #ran<T>(sql: string, result: T): T {
    if (sql !== 'rollback' && this.#database?.isTransaction === false) this.#problem = undefined;
    return result;
  }

  #opened(): DatabaseSync {
    this.#database ??= opened(this.#file);
    return this.#database;
  }

  #guarded<T>(act: () => T): T {
    try {
      return act();
    } catch (thrown) {
      if (!isStoreTrouble(thrown)) throw thrown;
      if (isDamaged(thrown)) this.reopen();
      const error = storeUnavailable(this.#file, thrown);
      this.#problem = error.message;
      this.#onProblem();
      throw error;
    }
  }

  /** Gives the connection up, with what was not committed; the next query opens another. */
  reopen(): void {
    try {
      this.close();
    } catch {
      // What is broken need not close well.
    }
  }
}

function opened(file: string): DatabaseSync {
  const database = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: true });
  try {
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF');
    return database;
  } catch (thrown) {
    database.close();
    throw thrown;
  }
}

function asInput(values: readonly unknown[]): SQLInputValue[] {
  return values as SQLInputValue[];
}
