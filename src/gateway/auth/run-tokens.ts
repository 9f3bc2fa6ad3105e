import { createHmac, hash, timingSafeEqual } from 'node:crypto';
import type { Clock } from '#core/clock.ts';
import type { Secret } from '#core/secret.ts';
import { refused } from './token-refused.ts';

/** A run token that was verified. */
export interface RunTokenFacts {
  readonly runId: string;
  /** Of the caller who created the run. */
  readonly scope: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  /** SHA-256 of the token, hexadecimal: what the audit records. */
  readonly tokenHash: string;
}

/** The scope of the caller who created the run; `undefined` when there is no such run. */
export type ScopeOfRun = (runId: string) => string | undefined | Promise<string | undefined>;

/**
 * Tokens that this gateway issues for one run of one caller: `plr_<runId>.<expires>.<HMAC-SHA256>`. Nothing is stored: the
 * code is computed again from the key, the run and the scope of its creator.
 */
export interface RunTokens {
  /** @param expiresAt milliseconds since the epoch. */
  issue(runId: string, scope: string, expiresAt: number): string;
  /**
   * @throws {PlumblineError} `ERR_TOKEN_UNTRUSTED` (`run-token`) for what this key did not sign for this run and its
   *   creator, and for a run that does not exist; `ERR_TOKEN_EXPIRED`.
   */
  verify(token: string, scopeOf: ScopeOfRun): Promise<RunTokenFacts>;
}

const PREFIX = 'plr_';
const FORM = /^plr_([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.([1-9]\d{12})\.([\w-]{43})$/;
const LONGEST = 128;
const SHORTEST_KEY = 32;

/** Whether it is meant as a run token; says nothing about whether it is a good one. */
export function isRunToken(token: string): boolean {
  return token.startsWith(PREFIX);
}

/** @param key at least 32 random characters. */
export function runTokens(key: Secret, clock: Pick<Clock, 'now'>): RunTokens {
  if (key.reveal().length < SHORTEST_KEY) throw new TypeError('The key of run tokens has fewer than 32 characters');
  return { issue, verify };

  function issue(runId: string, scope: string, expiresAt: number): string {
    const token = `${PREFIX}${runId}.${expiresAt}.${codeOf(runId, expiresAt, scope).toString('base64url')}`;
    if (!FORM.test(token)) throw new TypeError('A run token is for a UUID in lower case and a time in milliseconds');
    return token;
  }

  async function verify(token: string, scopeOf: ScopeOfRun): Promise<RunTokenFacts> {
    const { runId, expiresAt, code } = partsOf(token);
    const scope = await scopeOf(runId);
    // Without a run the code is compared all the same: the time that it takes does not tell whether the run exists.
    const good = timingSafeEqual(codeOf(runId, expiresAt, scope ?? ''), code);
    if (!good || scope === undefined) throw refused('run-token');
    if (clock.now() >= expiresAt) throw refused('expired');
    return { runId, scope, expiresAt, tokenHash: hash('sha256', token) };
  }

  function codeOf(runId: string, expiresAt: number, scope: string): Buffer {
    const signed = JSON.stringify(['plumbline run token', 1, runId, expiresAt, scope]);
    return createHmac('sha256', key.reveal()).update(signed).digest();
  }
}

function partsOf(token: string): { runId: string; expiresAt: number; code: Buffer } {
  const [, runId = '', expires = '', text = ''] = (token.length <= LONGEST && FORM.exec(token)) || [];
  const code = Buffer.from(text, 'base64url');
  // A last character with bits that no byte holds would be a second spelling of the same token.
  if (runId === '' || code.toString('base64url') !== text) throw refused('run-token');
  return { runId, expiresAt: Number(expires), code };
}
