import { type Kysely, type SelectQueryBuilder, sql } from 'kysely';

/** Where a record lies, and what it is looked up by. */
export interface AuditIndexEntry {
  readonly sequence: number;
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly type: string;
  /** Of everything about a run: the run's id. */
  readonly subject?: string | undefined;
  readonly file: string;
  readonly offset: number;
  /** Without the newline. */
  readonly bytes: number;
  /** SHA-256 of the line, hexadecimal. */
  readonly hash: string;
}

export interface AuditIndexPage {
  /** Entries behind this sequence; default 0, all. */
  readonly after?: number | undefined;
  /** Default 1,000. */
  readonly limit?: number | undefined;
}

/** A faster way into the files of the log. It holds nothing that is not in them, and can be made anew from them. */
export interface AuditIndex {
  /** Entries that are there already are replaced. */
  add(entries: readonly AuditIndexEntry[]): Promise<void>;
  /** Sequence of the newest entry; 0 when there is none. */
  newest(): Promise<number>;
  clear(): Promise<void>;
  /** In the order of the log. */
  ofRun(runId: string, page?: AuditIndexPage): Promise<readonly AuditIndexEntry[]>;
  /** @param from milliseconds since the epoch, inclusive @param to exclusive */
  ofPeriod(from: number, to: number, page?: AuditIndexPage): Promise<readonly AuditIndexEntry[]>;
}

export interface AuditIndexTable {
  sequence: number;
  time: number;
  type: string;
  subject: string | null;
  file: string;
  offset: number;
  bytes: number;
  hash: string;
}

/** What the store's schema includes. */
export interface AuditIndexTables {
  audit_index: AuditIndexTable;
}

/** The store runs it once, among its own. */
export async function auditIndexMigration<T>(database: Kysely<T>): Promise<void> {
  const statements = [
    sql`create table audit_index (
      sequence integer primary key, time integer not null, type text not null, subject text, file text not null,
      offset integer not null, bytes integer not null, hash text not null)`,
    sql`create index audit_index_by_subject on audit_index (subject, sequence) where subject is not null`,
    sql`create index audit_index_by_time on audit_index (time, sequence)`,
  ];
  for (const statement of statements) await statement.execute(database);
}

/** SQLite takes at most 32,766 values in a statement; a row has eight. */
const ROWS_A_STATEMENT = 1_000;

/** The index in the store's tables. */
export function storedAuditIndex(database: Kysely<AuditIndexTables>): AuditIndex {
  const entries = database.selectFrom('audit_index').selectAll();
  return {
    add: async (added) => {
      for (let from = 0; from < added.length; from += ROWS_A_STATEMENT) {
        const rows = added.slice(from, from + ROWS_A_STATEMENT).map(rowOf);
        await database.replaceInto('audit_index').values(rows).execute();
      }
    },
    newest: async () => {
      const row = await database
        .selectFrom('audit_index')
        .select(({ fn }) => fn.max('sequence').as('newest'))
        .executeTakeFirst();
      return row?.newest ?? 0;
    },
    clear: async () => void (await database.deleteFrom('audit_index').execute()),
    ofRun: (runId, page) => pageOf(entries.where('subject', '=', runId), page),
    ofPeriod: (from, to, page) => pageOf(entries.where('time', '>=', from).where('time', '<', to), page),
  };
}

type Query = SelectQueryBuilder<AuditIndexTables, 'audit_index', AuditIndexTable>;

async function pageOf(query: Query, { after = 0, limit = 1_000 }: AuditIndexPage = {}): Promise<AuditIndexEntry[]> {
  const rows = await query.where('sequence', '>', after).orderBy('sequence').limit(limit).execute();
  return rows.map(({ subject, ...row }) => ({ ...row, subject: subject ?? undefined }));
}

function rowOf({ sequence, time, type, subject, file, offset, bytes, hash }: AuditIndexEntry): AuditIndexTable {
  return { sequence, time, type, subject: subject ?? null, file, offset, bytes, hash };
}
