import { createHash } from 'node:crypto';
import type { JsonValue } from '#core/json.ts';
import type { RunOutcome, RunState, RunUpdate } from '#core/run.ts';
import { canonicalJson, type Encodable } from '../audit/canonical-json.ts';
import { type Caller, factsOf } from '../auth/caller.ts';
import type { RunRow } from '../store/schema.ts';
import type { CodeFacts, RunRecord, RunSpecification, SecretFact } from './run-record.ts';

/** A run with what only the gateway itself needs to know. */
export interface StoredRun {
  readonly record: RunRecord;
  readonly phase: RunRow['phase'];
  readonly lostAttempts: number;
  readonly deadlineAt: number | undefined;
  /** Of the launcher's updates of the newest attempt, how many are stored. */
  readonly told: number;
  /** Whose permission it is; `undefined` after the end. */
  readonly caller: Caller | undefined;
}

/** An update under its number, from 1 without a gap. */
export interface NumberedUpdate {
  readonly sequence: number;
  readonly update: RunUpdate;
}

export function hasEnded({ phase }: Pick<StoredRun, 'phase'>): boolean {
  return phase === 'ended' || phase === 'closed';
}

export function asStoredRun(row: RunRow): StoredRun {
  return {
    record: asRecord(row),
    phase: row.phase,
    lostAttempts: row.lost_attempts,
    deadlineAt: row.deadline_at ?? undefined,
    told: row.told,
    caller: row.identity_json === null ? undefined : (JSON.parse(row.identity_json) as Caller),
  };
}

export function asRecord(row: RunRow): RunRecord {
  return {
    id: row.id,
    key: row.key,
    scope: row.scope,
    specification: JSON.parse(row.specification_json) as RunSpecification,
    fingerprint: row.fingerprint,
    state: row.state as RunState,
    attempt: row.attempt,
    createdAt: row.created_at,
    ...(row.started_at !== null && { startedAt: row.started_at }),
    ...(row.ended_at !== null && { endedAt: row.ended_at }),
    ...(row.stop_requested !== null && { stopRequested: row.stop_requested as 'cancelled' | 'deadline' }),
    caller: JSON.parse(row.caller_json) as Readonly<Record<string, JsonValue>>,
    decision: JSON.parse(row.decision_json) as RunRecord['decision'],
    isolation: row.isolation as RunRecord['isolation'],
    ...(row.code_json !== null && { code: JSON.parse(row.code_json) as CodeFacts }),
    secrets: JSON.parse(row.secrets_json) as readonly SecretFact[],
    ...(row.outcome_json !== null && { outcome: JSON.parse(row.outcome_json) as Omit<RunOutcome, 'tasks'> }),
  };
}

/** What may be shown of a caller: no token and not every claim, only what it signs in the one vocabulary. */
export function callerFacts(caller: Caller): Readonly<Record<string, JsonValue>> {
  const { issuer, profile, iss, subject, tokenId, tokenHash, runFacts } = caller;
  const signed = Object.fromEntries(Object.entries(factsOf(caller)).filter(([, value]) => value !== undefined));
  const facts = runFacts && {
    runFacts: { issuer: runFacts.issuer, iss: runFacts.iss, subject: runFacts.subject, tokenHash: runFacts.tokenHash },
  };
  return { issuer, profile, iss, subject, tokenId, tokenHash, signed, ...facts };
}

/** SHA-256 of the canonical specification, hexadecimal. */
export function fingerprintOf(specification: RunSpecification): string {
  return createHash('sha256')
    .update(canonicalJson(specification as unknown as Encodable))
    .digest('hex');
}
