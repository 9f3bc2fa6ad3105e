import assert from 'node:assert/strict';
import { PlumblineError } from '#core/errors.ts';
import type { Authenticator } from '#gateway/auth/authenticator.ts';
import { REFUSALS, type RefusalReason } from '#gateway/auth/token-refused.ts';

/** Refused with this reason and its code, in an error that repeats nothing of the token. */
export async function assertRefused(
  authenticator: Pick<Authenticator, 'verify'>,
  text: string,
  reason: RefusalReason,
): Promise<void> {
  const thrown = await authenticator.verify(text).then(
    () => assert.fail('it was accepted'),
    (error: unknown) => error,
  );
  assert.ok(thrown instanceof PlumblineError, String((thrown as Error)?.stack));
  assert.equal(thrown.details['reason'], reason, thrown.message);
  assert.equal(thrown.code, REFUSALS[reason]);
  const told = JSON.stringify([thrown.message, thrown.remedy, thrown.details]);
  for (const part of text.split('.')) assert.ok(part.length < 20 || !told.includes(part), told);
}
