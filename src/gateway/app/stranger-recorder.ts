import type { Clock } from '#core/clock.ts';
import type { AuditLog } from '../audit/audit-log.ts';
import { type ReadAccessGate, readAccessGate } from '../audit/read-access-gate.ts';

export interface StrangerFacts {
  readonly requestId: string;
  /** Absent: by a socket of this machine. */
  readonly address?: string | undefined;
  /** Of the Unix user by whose socket. */
  readonly uid?: number | undefined;
  /** Whose token it was, when it was one of this gateway. */
  readonly worker?: string | undefined;
}

/**
 * Puts on record that somebody who is no living worker asked for a task's token. One record of a kind for an address, a socket or a worker
 * and a minute: whoever holds no grant cannot fill the disk either.
 */
export class StrangerRecorder {
  readonly #audit: Pick<AuditLog, 'append'>;
  readonly #gate: ReadAccessGate;

  constructor(audit: Pick<AuditLog, 'append'>, clock: Pick<Clock, 'now'>) {
    this.#audit = audit;
    this.#gate = readAccessGate(clock);
  }

  /** @throws {PlumblineError} `ERR_AUDIT_UNAVAILABLE` */
  async rejected(reason: string, { requestId, address, uid, worker }: StrangerFacts): Promise<void> {
    const who = worker ?? address ?? `socket ${uid}`;
    if (!this.#gate.isDue(who, reason)) return;
    const [subject] = worker?.split('.') ?? [];
    const data = { requestId, address, uid, worker, reason, errorCode: 'ERR_IDENTITY_REJECTED', allowed: false };
    try {
      await this.#audit.append({ type: 'dev.plumbline.identity.rejected', subject, data });
    } catch (thrown) {
      this.#gate.forget(who, reason);
      throw thrown;
    }
  }
}
