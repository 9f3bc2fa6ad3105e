import type { JsonValue } from '#core/json.ts';
import type { IssuerSettings } from './issuer-settings.ts';
import type { JsonObject } from './strict-json.ts';
import { refused } from './token-refused.ts';

/** Milliseconds since the epoch. */
export interface TokenTimes {
  readonly issuedAt: number;
  readonly expiresAt: number;
  /** When the token is too old for the policy or over, whichever is first. */
  readonly usableUntil: number;
}

/**
 * How far in the future a token may have been issued, because clocks differ. Its end gets none: what was used up is
 * remembered until `exp`, and must be refused from then on.
 */
const SKEW_MS = 30_000;
const LAST_YEAR_S = 253_402_300_799;

type Limits = Pick<IssuerSettings, 'maxLifetimeMs' | 'maxAgeMs'>;

/**
 * @param now milliseconds since the epoch.
 * @throws {PlumblineError} `ERR_TOKEN_EXPIRED`, or `ERR_TOKEN_CLAIMS`: `times`, `not-yet-valid`, `lifetime` or `age`.
 */
export function checkTimes(payload: JsonObject, { maxLifetimeMs, maxAgeMs }: Limits, now: number): TokenTimes {
  const issuedAt = timeOf(payload['iat'], 'iat');
  const expiresAt = timeOf(payload['exp'], 'exp');
  const notBefore = payload['nbf'] === undefined ? issuedAt : timeOf(payload['nbf'], 'nbf');
  if (expiresAt <= issuedAt) throw refused('times', { field: 'exp' });
  if (notBefore >= expiresAt) throw refused('times', { field: 'nbf' });
  if (now >= expiresAt) throw refused('expired');
  if (issuedAt > now + SKEW_MS) throw refused('not-yet-valid', { field: 'iat' });
  if (notBefore > now + SKEW_MS) throw refused('not-yet-valid', { field: 'nbf' });
  if (expiresAt - issuedAt > maxLifetimeMs) throw refused('lifetime');
  const tooOldAt = issuedAt + (maxAgeMs ?? Number.POSITIVE_INFINITY);
  if (now >= tooOldAt) throw refused('age');
  return { issuedAt, expiresAt, usableUntil: Math.min(expiresAt, tooOldAt) };
}

/** A NumericDate (RFC 7519 §2) in milliseconds. */
function timeOf(value: JsonValue | undefined, field: string): number {
  if (typeof value !== 'number' || !(value > 0 && value <= LAST_YEAR_S)) throw refused('times', { field });
  return Math.floor(value * 1_000);
}
