import { type Kysely, sql } from 'kysely';
import { PlumblineError } from '#core/errors.ts';
import { auditIndexMigration } from '../audit/audit-index.ts';
import type { Tables } from './schema.ts';

type Migration = (database: Kysely<Tables>) => Promise<void>;

/**
 * The way from an empty file to today's tables, in order; a version is the place in this list, from 1. What is here has been
 * applied somewhere and is never changed: a change of the tables is a further entry.
 */
export const MIGRATIONS: readonly Migration[] = [firstTables, auditIndexMigration, stockWorkerTable, pipelineRunTable];

/** The version that this program works with. */
export const STORE_VERSION = MIGRATIONS.length;

/**
 * Brings a store to today's version, in one transaction.
 *
 * @throws {PlumblineError} `ERR_STORE_VERSION` when a newer program wrote it, `ERR_STORE_UNAVAILABLE`
 */
export async function migrate(database: Kysely<Tables>, file: string, now: number): Promise<void> {
  await database.transaction().execute(async (transaction) => {
    await sql`create table if not exists migrations (version integer primary key, applied_at integer not null)`.execute(
      transaction,
    );
    const newest = await transaction
      .selectFrom('migrations')
      .select(({ fn }) => fn.max('version').as('version'))
      .executeTakeFirst();
    const version = newest?.version ?? 0;
    if (version > STORE_VERSION) throw tooNew(file, version);
    for (const [index, apply] of MIGRATIONS.entries()) {
      if (index < version) continue;
      await apply(transaction);
      await transaction
        .insertInto('migrations')
        .values({ version: index + 1, applied_at: now })
        .execute();
    }
  });
}

async function firstTables(database: Kysely<Tables>): Promise<void> {
  const statements = [
    sql`create table runs (
      id text primary key, scope text not null, key text not null, fingerprint text not null, role text not null,
      phase text not null, state text not null, attempt integer not null, lost_attempts integer not null,
      created_at integer not null, started_at integer, ended_at integer, deadline_at integer, stop_requested text,
      specification_json text not null, caller_json text not null, identity_json text, decision_json text not null,
      isolation text not null, code_json text, secrets_json text not null, outcome_json text,
      updates integer not null, told integer not null)`,
    sql`create unique index runs_by_key on runs (scope, key)`,
    sql`create index runs_by_time on runs (scope, created_at, id)`,
    sql`create index runs_by_phase on runs (phase, role, scope, id)`,
    sql`create index runs_by_end on runs (phase, ended_at)`,
    sql`create table run_events (
      run_id text not null references runs (id) on delete cascade, sequence integer not null,
      attempt integer not null, update_json text not null,
      primary key (run_id, sequence))`,
    sql`create table used_tokens (
      issuer text not null, token_id text not null, fingerprint text not null, expires_at integer not null,
      primary key (issuer, token_id))`,
    sql`create index used_tokens_by_expiry on used_tokens (expires_at)`,
  ];
  for (const statement of statements) await statement.execute(database);
}

async function stockWorkerTable(database: Kysely<Tables>): Promise<void> {
  const statements = [
    sql`create table stock_workers (
      id text primary key, scope text not null, key text not null, fingerprint text not null,
      specification_json text not null, identity_json text, created_at integer not null, expires_at integer not null,
      ended_at integer, end_reason text, recorded integer not null)`,
    sql`create unique index stock_workers_by_key on stock_workers (scope, key)`,
    sql`create index stock_workers_by_end on stock_workers (ended_at)`,
  ];
  for (const statement of statements) await statement.execute(database);
}

async function pipelineRunTable(database: Kysely<Tables>): Promise<void> {
  const statements = [
    sql`create table pipeline_runs (
      id text primary key, scope text not null, key text not null, fingerprint text not null, phase text not null,
      state text not null, organization text not null, project text not null, pipeline integer not null, ref text not null,
      values_json text, parameter_names_json text not null, context_json text not null, context_parameter text,
      caller_json text not null, identity_json text, decision_json text not null, request_id text not null,
      attempt integer not null, created_at integer not null, first_sent_at integer, sent_at integer, settles_at integer,
      retry_at integer, queued_at integer, started_at integer, ended_at integer, azure_run integer, azure_name text,
      tags text, problem text, error_json text, updates_json text not null)`,
    sql`create unique index pipeline_runs_by_key on pipeline_runs (scope, key)`,
    sql`create index pipeline_runs_by_phase on pipeline_runs (phase, ended_at)`,
  ];
  for (const statement of statements) await statement.execute(database);
}

function tooNew(file: string, version: number): PlumblineError {
  return new PlumblineError(
    'ERR_STORE_VERSION',
    `Will not open the store ${file}: it has version ${version}, this Plumbline knows ${STORE_VERSION}`,
    {
      remedy: 'Start the newer Plumbline again, or restore the backup from before the update.',
      details: { store: file, version, known: STORE_VERSION },
    },
  );
}
