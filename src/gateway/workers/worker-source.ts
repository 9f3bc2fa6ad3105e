import type { Decision, Policy } from '../policy/policy.ts';
import type { Worker } from './worker.ts';

/** Where workers of one kind come from. Both without input and output. */
export interface WorkerSource {
  /** Only while it lives; the same object as long as it does. */
  find(id: string): Worker | undefined;
  /** What a policy says at an instant of one that lives. */
  decide(worker: Worker, policy: Policy, now: number): Decision;
}
