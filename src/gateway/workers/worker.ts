import type { Caller } from '../auth/caller.ts';
import type { Decision } from '../policy/policy.ts';

/**
 * Who works at a luigid or asks for a task's token: one attempt of a run of this gateway (`run`), or a Luigi worker that
 * somebody started elsewhere and registered here (`stock`).
 */
export interface Worker {
  /** The id that it must have at luigid: `<runId>.<attempt>`; the attempt of a registered one is 0. */
  readonly id: string;
  readonly kind: 'run' | 'stock';
  /** Of the run, or of the registration. */
  readonly runId: string;
  readonly attempt: number;
  /** Whose permission it is: who created the run or registered the worker. */
  readonly caller: Caller;
  /** Name in the policy. */
  readonly role: string;
}

/** The workers that live: their run goes on, nobody has asked to stop it, and this attempt is its newest. */
export interface Workers {
  /** Without input and output: it is asked for every call to luigid. */
  find(id: string): Worker | undefined;
  /** The Unix user that it runs as on this machine; `undefined` for one that runs elsewhere. As cheap as the other. */
  uidOf(worker: Worker): number | undefined;
  /** What the policy in force says of it now; never older than a second, never of another policy. */
  decide(worker: Worker): Decision;
}
