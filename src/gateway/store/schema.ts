import type { Insertable, Selectable, Updateable } from 'kysely';
import type { AuditIndexTables } from '../audit/audit-index.ts';

/**
 * Where a run stands for the gateway itself, finer than its state. `accepted`: stored, the record of that in the audit is
 * still to come. `queued`. `launching`: a worker may begin at any moment. `running`: its worker was started. `ended`: the
 * outcome is stored. `closed`: and its end is in the audit.
 */
export type RunPhase = 'accepted' | 'queued' | 'launching' | 'running' | 'ended' | 'closed';

/** A run. Columns that end in `_json` hold JSON. Times are milliseconds since the epoch. */
export interface RunTable {
  id: string;
  scope: string;
  key: string;
  fingerprint: string;
  role: string;
  phase: RunPhase;
  state: string;
  attempt: number;
  /** Attempts whose worker was lost. */
  lost_attempts: number;
  created_at: number;
  started_at: number | null;
  ended_at: number | null;
  /** When the attempt that goes on is stopped. */
  deadline_at: number | null;
  stop_requested: string | null;
  specification_json: string;
  caller_json: string;
  /** The verified token's claims, to decide once more at the start; empty after the end. */
  identity_json: string | null;
  decision_json: string;
  isolation: string;
  code_json: string | null;
  secrets_json: string;
  outcome_json: string | null;
  /** Updates stored so far: the number of the newest. */
  updates: number;
  /** Of the launcher's updates of the newest attempt, how many are stored. */
  told: number;
}

/** One update of a run, numbered from 1 without a gap. */
export interface RunEventTable {
  run_id: string;
  sequence: number;
  attempt: number;
  update_json: string;
}

/** A token that may be used once, and by which request it was. */
export interface UsedTokenTable {
  issuer: string;
  token_id: string;
  fingerprint: string;
  expires_at: number;
}

/** A Luigi worker elsewhere that somebody registered. It lives until `ended_at` is set or `expires_at` is over. */
export interface StockWorkerTable {
  id: string;
  scope: string;
  key: string;
  fingerprint: string;
  specification_json: string;
  /** The verified token's claims, to decide again; empty after the end. */
  identity_json: string | null;
  created_at: number;
  expires_at: number;
  ended_at: number | null;
  end_reason: string | null;
  /** Whether its end is in the audit: 0 or 1. */
  recorded: number;
}

export interface MigrationTable {
  version: number;
  applied_at: number;
}

export interface Tables extends AuditIndexTables {
  runs: RunTable;
  run_events: RunEventTable;
  used_tokens: UsedTokenTable;
  stock_workers: StockWorkerTable;
  migrations: MigrationTable;
}

export type RunRow = Selectable<RunTable>;
export type NewRunRow = Insertable<RunTable>;
export type StockWorkerRow = Selectable<StockWorkerTable>;
export type RunChange = Updateable<RunTable>;
