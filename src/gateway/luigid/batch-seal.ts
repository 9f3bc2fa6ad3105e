import { createHmac, hash, timingSafeEqual } from 'node:crypto';
import type { WorkerTokens } from '../auth/worker-tokens.ts';

/**
 * Ids of batches as workers see them: luigid's own, which anybody can compute from names of tasks, and a code that only the
 * worker that got the batch was given. So nobody changes the tasks of another's batch by its id.
 */
export interface BatchSeal {
  seal(workerId: string, batchId: string): string;
  /** luigid's own id; `undefined` when this worker did not get it. */
  open(workerId: string, sealed: string): string | undefined;
}

/** Of no worker: no run has this id. Its token is a key that lasts as long as the gateway's. */
const NOBODY = '00000000-0000-0000-0000-000000000000.0';
const CODE_LENGTH = 22;

export function batchSeal(tokens: Pick<WorkerTokens, 'issue'>): BatchSeal {
  const key = hash('sha256', `batches ${tokens.issue(NOBODY)}`, 'buffer');
  const codeOf = (workerId: string, batchId: string) =>
    createHmac('sha256', key)
      .update(JSON.stringify([workerId, batchId]))
      .digest('base64url')
      .slice(0, CODE_LENGTH);
  return {
    seal: (workerId, batchId) => `${batchId}.${codeOf(workerId, batchId)}`,
    open(workerId, sealed) {
      const end = sealed.lastIndexOf('.');
      const [batchId, code] = [sealed.slice(0, Math.max(0, end)), sealed.slice(end + 1)];
      const [own, given] = [Buffer.from(codeOf(workerId, batchId)), Buffer.from(code)];
      return own.length === given.length && timingSafeEqual(own, given) ? batchId : undefined;
    },
  };
}
