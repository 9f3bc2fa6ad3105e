import type { Clock } from '#core/clock.ts';
import type { Decision, Policy } from '../policy/policy.ts';
import type { Worker, Workers } from './worker.ts';
import type { WorkerSource } from './worker-source.ts';

export interface LiveWorkersOptions {
  /** Attempts of runs. */
  readonly runs: WorkerSource;
  /** Registered ones. */
  readonly stock?: WorkerSource | undefined;
  /** The policy that is in force now. */
  readonly policy: () => Policy;
  readonly clock: Pick<Clock, 'now'>;
}

/** What the policy says may change by time alone: a binding begins or ends. */
const DECISION_MS = 1_000;

interface Decided {
  readonly at: number;
  readonly decision: Decision;
}

/** Every worker that lives, asked where it comes from each time; decisions are kept for a moment. */
export function liveWorkers({ runs, stock, policy, clock }: LiveWorkersOptions): Workers {
  const decided = new WeakMap<Worker, Decided>();
  const find = (id: string) => (id.endsWith('.0') ? stock?.find(id) : runs.find(id));
  return {
    find,
    uidOf: (worker) => (worker.kind === 'run' ? runs.uidOf?.(worker) : undefined),
    decide(worker) {
      const now = clock.now();
      const inForce = policy();
      if (find(worker.id) !== worker) return refusal(inForce);
      const known = decided.get(worker);
      if (known !== undefined && isFresh(known, inForce, now)) return known.decision;
      const source = worker.kind === 'run' ? runs : stock;
      if (source === undefined) throw new TypeError('No stock worker is known here');
      const decision = source.decide(worker, inForce, now);
      decided.set(worker, { at: now, decision });
      return decision;
    },
  };
}

/** Of one that has died since it was found. */
function refusal({ sha256: policy }: Policy): Decision {
  return { allowed: false, wouldAllow: false, mode: 'enforce', reasons: [{ reason: 'worker-unknown' }], policy };
}

/** A clock that was set back makes nothing last longer. */
function isFresh({ at, decision }: Decided, { sha256 }: Policy, now: number): boolean {
  return decision.policy === sha256 && now >= at && now - at < DECISION_MS;
}
