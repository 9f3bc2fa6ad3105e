import type { Caller } from '../auth/caller.ts';
import type { NewRunRow } from '../store/schema.ts';
import type { RunRecord, RunSpecification } from './run-record.ts';
import { callerFacts } from './run-row.ts';

export interface NewRun {
  readonly id: string;
  readonly key: string;
  readonly caller: Caller;
  readonly specification: RunSpecification;
  readonly fingerprint: string;
  readonly createdAt: number;
  readonly decision: RunRecord['decision'];
  readonly isolation: RunRecord['isolation'];
}

/** A run as it is before anything was done with it. */
export function newRecord({ caller, ...given }: NewRun): RunRecord {
  return { ...given, scope: caller.scope, state: 'queued', attempt: 0, caller: callerFacts(caller), secrets: [] };
}

/** The caller's claims stay with it until its end: its permission is asked for once more when its turn comes. */
export function newRow(record: RunRecord, caller: Caller): NewRunRow {
  return {
    id: record.id,
    scope: record.scope,
    key: record.key,
    fingerprint: record.fingerprint,
    role: record.specification.role,
    phase: 'accepted',
    state: record.state,
    attempt: 0,
    lost_attempts: 0,
    created_at: record.createdAt,
    specification_json: JSON.stringify(record.specification),
    caller_json: JSON.stringify(record.caller),
    identity_json: JSON.stringify(caller),
    decision_json: JSON.stringify(record.decision),
    isolation: record.isolation,
    secrets_json: '[]',
    // The first says that it waits.
    updates: 1,
    told: 0,
  };
}
