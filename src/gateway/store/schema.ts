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

/**
 * Where a run of an Azure pipeline stands for the gateway itself. `waiting`: it is to be sent, and the record of that is still to
 * come. `intended`: that is on record, nothing was sent. `sending`: the request may be out. `looking`: nobody knows whether it
 * was queued. `answered`: it was, and the record of that is still to come. `following`. `ended`: and `closed`: on record.
 */
export type PipelineRunPhase =
  | 'waiting'
  | 'intended'
  | 'sending'
  | 'looking'
  | 'answered'
  | 'following'
  | 'ended'
  | 'closed';

/** A run of an Azure pipeline that somebody asked for. */
export interface PipelineRunTable {
  id: string;
  scope: string;
  key: string;
  fingerprint: string;
  phase: PipelineRunPhase;
  state: string;
  organization: string;
  project: string;
  pipeline: number;
  ref: string;
  /** What is sent with it; empty as soon as it is queued. */
  values_json: string | null;
  parameter_names_json: string;
  context_json: string;
  context_parameter: string | null;
  caller_json: string;
  /** The verified token's claims, to decide once more before it is sent; empty as soon as it is queued. */
  identity_json: string | null;
  decision_json: string;
  request_id: string;
  /** Requests to queue it, with the one that is next or under way. */
  attempt: number;
  created_at: number;
  /** Of the first request, and of the last. */
  first_sent_at: number | null;
  sent_at: number | null;
  /** When a request that was lost can no longer be under way. */
  settles_at: number | null;
  /** Not sent before. */
  retry_at: number | null;
  queued_at: number | null;
  started_at: number | null;
  ended_at: number | null;
  azure_run: number | null;
  azure_name: string | null;
  tags: string | null;
  problem: string | null;
  error_json: string | null;
  updates_json: string;
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
  pipeline_runs: PipelineRunTable;
  migrations: MigrationTable;
}

export type RunRow = Selectable<RunTable>;
export type NewRunRow = Insertable<RunTable>;
export type StockWorkerRow = Selectable<StockWorkerTable>;
export type PipelineRunRow = Selectable<PipelineRunTable>;
export type NewPipelineRunRow = Insertable<PipelineRunTable>;
export type PipelineRunChange = Updateable<PipelineRunTable>;
export type RunChange = Updateable<RunTable>;
