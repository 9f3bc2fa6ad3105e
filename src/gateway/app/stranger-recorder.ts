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
  /** Records that are being written, by whom and what they are about. */
  readonly #writing = new Map<string, Promise<unknown>>();

  constructor(audit: Pick<AuditLog, 'append'>, clock: Pick<Clock, 'now'>) {
    this.#audit = audit;
    this.#gate = readAccessGate(clock);
  }

  /** Resolves when the record of it stands. @throws {PlumblineError} `ERR_AUDIT_UNAVAILABLE` */
  async rejected(reason: string, { requestId, address, uid, worker }: StrangerFacts): Promise<void> {
    const who = worker ?? address ?? `socket ${uid}`;
    const what = `${who} ${reason}`;
    if (!this.#gate.isDue(who, reason)) return void (await this.#writing.get(what));
    const [subject] = worker?.split('.') ?? [];
    const data = { requestId, address, uid, worker, reason, errorCode: 'ERR_IDENTITY_REJECTED', allowed: false };
    const written = this.#audit.append({ type: 'dev.plumbline.identity.rejected', subject, data });
    this.#writing.set(what, written);
    try {
      await written;
    } catch (thrown) {
      this.#gate.forget(who, reason);
      throw thrown;
    } finally {
      if (this.#writing.get(what) === written) this.#writing.delete(what);
    }
  }
}
