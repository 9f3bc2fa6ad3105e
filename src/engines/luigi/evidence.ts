import type { CancelReason } from '../engine.ts';
import type { ExitRecord } from './exit-record.ts';
import type { EventOf } from './worker-event.ts';

/** Everything that is known when a run is over; what is absent was never seen. */
export interface Evidence {
  /** We stopped it, or tried to. */
  readonly stop?: CancelReason | undefined;
  readonly record?: ExitRecord | undefined;
  /** Exit status of a supervisor that we started ourselves and that ended by itself. */
  readonly supervisorStatus?: number | undefined;
  readonly hello?: EventOf<'hello'> | undefined;
  readonly refused?: EventOf<'refused'> | undefined;
  /** The run lost its identity; its worker was to end at once. */
  readonly rejected?: EventOf<'rejected'> | undefined;
  /** The worker speaks another version of the protocol: this one. */
  readonly foreign?: string | undefined;
  readonly asked?: Pick<EventOf<'asked'>, 'complete' | 'verifiable' | 'error'> | undefined;
  readonly bye?: number | undefined;
  readonly stalled: boolean;
  readonly anythingRan: boolean;
  /** Id of the run that the events must be of. */
  readonly runId: string;
  /** The worker told of the root task. */
  readonly hasRoot: boolean;
  /** Tasks that began and never ended by the worker's words. */
  readonly unended: number;
}

/** The dimensions of docs/outcomes.md, each with every value it can take. */
export const DIMENSIONS = {
  stop: ['no', 'cancelled', 'deadline'],
  /** `rejected`: an identity was refused, by the event or by the exit record. */
  word: ['none', 'refused', 'foreign', 'rejected'],
  /** `flush`: status 120, Python could not flush standard output. `absent`: it never began. `unseen`: no exit record. */
  process: ['zero', 'flush', 'status', 'signal', 'absent', 'unseen'],
  /** Luigi's own exit status by the worker's last event; `none` when that is missing. */
  verdict: ['none', '0', '10', '20', '25', '30', '35', '40', 'other'],
  stalled: ['no', 'yes'],
  root: ['complete', 'incomplete', 'raised', 'unverifiable', 'unasked'],
  ran: ['yes', 'no'],
  /** `torn`: what a worker tells of every run that ends well is missing from its account, or is of another run. */
  account: ['whole', 'torn'],
} as const;

export type Dimensions = { readonly [Name in keyof typeof DIMENSIONS]: (typeof DIMENSIONS)[Name][number] };

/** Sorts evidence into the dimensions; total: there is no evidence without a place. */
export function classify(evidence: Evidence): Dimensions {
  return {
    stop: evidence.stop ?? 'no',
    word: wordOf(evidence),
    process: processOf(evidence),
    verdict: verdictOf(evidence.bye),
    stalled: evidence.stalled ? 'yes' : 'no',
    root: rootOf(evidence.asked),
    ran: evidence.anythingRan ? 'yes' : 'no',
    account: isWhole(evidence) ? 'whole' : 'torn',
  };
}

/** A rejection comes before a refusal: that is how one looks which is met before the run has begun. */
function wordOf({ foreign, rejected, record, refused }: Evidence): Dimensions['word'] {
  if (foreign !== undefined) return 'foreign';
  if (rejected || record?.rejected) return 'rejected';
  return refused ? 'refused' : 'none';
}

const FLUSH_FAILED = 120;
const SIGNALS = { first: 129, last: 192 };

function processOf({ record, supervisorStatus, hello, refused }: Evidence): Dimensions['process'] {
  if (!record) return supervisorStatus === undefined || hello || refused ? 'unseen' : 'absent';
  const { code, signal, stopped } = record;
  if (stopped || signal !== null || code === null) return 'signal';
  if (code < 0 || (code >= SIGNALS.first && code <= SIGNALS.last)) return 'signal';
  return code === 0 ? 'zero' : code === FLUSH_FAILED ? 'flush' : 'status';
}

function isWhole({ hello, runId, hasRoot, unended }: Evidence): boolean {
  return hello?.runId === runId && hasRoot && unended === 0;
}

function verdictOf(bye: number | undefined): Dimensions['verdict'] {
  if (bye === undefined) return 'none';
  return DIMENSIONS.verdict.find((known) => known === String(bye)) ?? 'other';
}

function rootOf(asked: Evidence['asked']): Dimensions['root'] {
  if (!asked) return 'unasked';
  if (asked.complete === true) return 'complete';
  if (!asked.verifiable) return 'unverifiable';
  return asked.complete === false ? 'incomplete' : 'raised';
}
