import { PlumblineError } from '#core/errors.ts';
import { identifier } from '../auth/claim-shape.ts';
import type { PersonClaims } from './identity-provider.ts';
import type { Person } from './person-sessions.ts';
import { SignInFailure } from './sign-in-failure.ts';

const LONGEST_NAME = 100;
const LONGEST_SUBJECT = 600;
/** They are kept as long as the session; a token of an honest provider has a few thousand. */
const MOST_CLAIMS = 32_768;

/** @throws {SignInFailure} `id-token`, when the claims name nobody or are too many */
export function personOf(claims: PersonClaims, now: number, lifeMs: number): Person {
  if (JSON.stringify(claims).length > MOST_CLAIMS) throw new SignInFailure('id-token', 'its claims are too many');
  const iss = named(claims, 'iss');
  const subject = named(claims, 'sub');
  const shown = [claims['preferred_username'], claims['email'], subject].find(isShown);
  return {
    id: `${iss} ${subject}`,
    name: String(shown).slice(0, LONGEST_NAME),
    iss,
    subject,
    claims,
    signedInAt: now,
    expiresAt: now + lifeMs,
  };
}

function named(claims: PersonClaims, field: 'iss' | 'sub'): string {
  try {
    return identifier(claims[field], field, LONGEST_SUBJECT);
  } catch (error) {
    if (!(error instanceof PlumblineError)) throw error;
    throw new SignInFailure('id-token', `${field}: ${error.message}`);
  }
}

function isShown(value: unknown): boolean {
  return typeof value === 'string' && value !== '' && !/[\p{C}\p{Zl}\p{Zp}]/u.test(value);
}
