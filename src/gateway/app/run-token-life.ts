import type { Caller } from '../auth/caller.ts';
import type { RunRecord } from '../runs/run-record.ts';
import type { AppServices } from './app-services.ts';

/** A follower asks for another one before this one ends. */
export const RUN_TOKEN_LIFETIME_MS = 3_600_000;

export interface IssuedRunToken {
  readonly token: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** A token for one run alone, with the scope of whoever created it. */
export function issueRunToken(
  { runTokens, clock }: Pick<AppServices, 'runTokens' | 'clock'>,
  run: RunRecord,
): IssuedRunToken {
  const expiresAt = clock.now() + RUN_TOKEN_LIFETIME_MS;
  return { token: runTokens.issue(run.id, run.scope, expiresAt), expiresAt };
}

/**
 * A run token buys another one only while its run lives, and for as long as it is itself good afterwards: one that was
 * stolen dies with the run.
 */
export function mayRenew({ use }: Caller, { endedAt }: RunRecord): boolean {
  return use !== 'run' || endedAt === undefined;
}
