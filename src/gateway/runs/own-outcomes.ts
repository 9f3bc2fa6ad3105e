import type { PlumblineError } from '#core/errors.ts';
import type { Finding, RunOutcome } from '#core/run.ts';
import type { CancelReason } from '#engines/engine.ts';
import type { RunRecord } from './run-record.ts';

/** How runs end of which no worker can tell. */

type Ended = Pick<RunOutcome, 'state' | 'verified'> & { readonly finding: Finding };

function outcomeOf({ record, endedAt }: OwnEnd, { state, verified, finding }: Ended): RunOutcome {
  return {
    state,
    verified,
    summary: finding.message,
    tasks: [],
    findings: [finding],
    startedAt: record.startedAt ?? record.createdAt,
    endedAt,
    engine: { name: 'luigi', adapterVersion: '1' },
    adopted: false,
  };
}

export interface OwnEnd {
  readonly record: RunRecord;
  /** Milliseconds since the epoch. */
  readonly endedAt: number;
}

/** It was stopped before a worker began. */
export function stoppedBeforeStart(end: OwnEnd, reason: CancelReason): RunOutcome {
  const why = reason === 'deadline' ? 'its time was up' : 'it was cancelled';
  const finding: Finding = {
    severity: 'error',
    code: reason === 'deadline' ? 'ERR_RUN_DEADLINE' : 'ERR_RUN_CANCELLED',
    message: `${name(end)} did not start: ${why}, no worker had begun`,
  };
  return outcomeOf(end, { state: reason, verified: 'unknown', finding });
}

/** It could not or may not be started, and nothing was. */
export function notStarted(end: OwnEnd, { code, message, remedy }: PlumblineError): RunOutcome {
  const finding: Finding = { severity: 'error', code, message: `${name(end)} did not start: ${message}`, remedy };
  return outcomeOf(end, { state: 'failed', verified: 'unknown', finding });
}

/** Nobody knows how it ended. */
export function lostRun(end: OwnEnd, evidence: string): RunOutcome {
  const finding: Finding = {
    severity: 'error',
    code: 'ERR_RUN_LOST',
    message: `${name(end)} is lost: ${evidence}`,
    remedy: 'Look at the machine of the gateway and at the outputs of the root before you run it again.',
  };
  return outcomeOf(end, { state: 'lost', verified: 'unknown', finding });
}

function name({ record: { id, specification } }: OwnEnd): string {
  return `${specification.task} (run ${id})`;
}
