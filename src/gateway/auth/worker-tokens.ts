import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Secret } from '#core/secret.ts';
import { refused } from './token-refused.ts';

/**
 * What a worker proves itself with. Nothing is stored: the codes are computed again from a key, so that they are worth
 * nothing when the worker is no longer alive (`workers/worker.ts`), which whoever verifies them has to ask.
 */
export interface WorkerTokens {
  /** `plw_<worker id>.<HMAC-SHA256>`: of our own worker; it buys task tokens and speaks to luigid. */
  issue(workerId: string): string;
  /**
   * The worker's id. Only the form and the code are checked.
   * @throws {PlumblineError} `ERR_TOKEN_UNTRUSTED` (`worker-token`)
   */
  verify(token: string): string;
  /** The password beside the worker's id in a luigid's URL: it speaks to luigid and buys nothing. */
  schedulerPassword(workerId: string): string;
  isSchedulerPassword(workerId: string, password: string): boolean;
}

const TOKEN = 'plw_';
const PASSWORD = 'pls_';
const ID = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\\.(?:0|[1-9]\\d{0,8})';
const WORKER_ID = new RegExp(`^${ID}$`);
const FORM = new RegExp(`^${TOKEN}(${ID})\\.([\\w-]{43})$`);
const LONGEST = 128;
const SHORTEST_KEY = 32;

/** Whether it is meant as a worker's token; says nothing about whether it is a good one. */
export function isWorkerToken(token: string): boolean {
  return token.startsWith(TOKEN);
}

/** @param key at least 32 random characters; that of run tokens: each use has a label of its own. */
export function workerTokens(key: Secret): WorkerTokens {
  if (key.reveal().length < SHORTEST_KEY) throw new TypeError('The key of worker tokens has fewer than 32 characters');
  return { issue, verify, schedulerPassword, isSchedulerPassword };

  function issue(workerId: string): string {
    return `${TOKEN}${workerId}.${codeOf('plumbline worker token', workerId)}`;
  }

  function verify(token: string): string {
    const [, workerId = '', code = ''] = (token.length <= LONGEST && FORM.exec(token)) || [];
    if (workerId === '' || !isSame(codeOf('plumbline worker token', workerId), code)) throw refused('worker-token');
    return workerId;
  }

  function schedulerPassword(workerId: string): string {
    return `${PASSWORD}${codeOf('plumbline scheduler password', workerId)}`;
  }

  function isSchedulerPassword(workerId: string, password: string): boolean {
    return WORKER_ID.test(workerId) && isSame(schedulerPassword(workerId), password);
  }

  function codeOf(label: string, workerId: string): string {
    if (!WORKER_ID.test(workerId))
      throw new TypeError('A worker id is a UUID in lower case and the number of an attempt');
    return createHmac('sha256', key.reveal())
      .update(JSON.stringify([label, 1, workerId]))
      .digest('base64url');
  }
}

/** As texts: a second spelling of the same bytes is another text. */
function isSame(expected: string, given: string): boolean {
  const [own, other] = [Buffer.from(expected), Buffer.from(given)];
  return own.length === other.length && timingSafeEqual(own, other);
}
