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

/** Whether it is meant as a worker's token; says nothing about whether it is a good one. */
export function isWorkerToken(token: string): boolean {
  return token.startsWith('plw_');
}
