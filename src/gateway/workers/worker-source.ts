import type { Decision, Policy } from '../policy/policy.ts';
import type { Worker } from './worker.ts';

/** Where workers of one kind come from. All without input and output. */
export interface WorkerSource {
  /** Only while it lives; the same object as long as it does. */
  find(id: string): Worker | undefined;
  /** The Unix user that one of this machine runs as; absent: none runs here. */
  uidOf?(worker: Worker): number | undefined;
  /** What a policy says at an instant of one that lives. */
  decide(worker: Worker, policy: Policy, now: number): Decision;
}
