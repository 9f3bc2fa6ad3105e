import { compactVerify } from 'jose';
import { PlumblineError } from '#core/errors.ts';
import type { VerifiedToken } from './caller.ts';
import { checkClaimShape, issuerClaims } from './claim-shape.ts';
import { checkTimes, type TokenTimes } from './claim-times.ts';
import { type CompactToken, signedPartHash, tokenHash } from './compact-token.ts';
import type { IssuerSettings } from './issuer-settings.ts';
import { ClaimReader } from './profiles/claim-reader.ts';
import { profileOf } from './profiles/profile-of.ts';
import type { JsonObject } from './strict-json.ts';
import { type RefusalReason, refused } from './token-refused.ts';
import { isExpectedType } from './token-type.ts';
import type { VerificationKey } from './verification-key.ts';

/** What is asked of a token's issuer and its keys. */
export interface IssuerEntry {
  readonly settings: IssuerSettings;
}

/**
 * The one issuer whose `iss` and audience the token has, each compared exactly.
 *
 * A token for several audiences belongs to several receivers; it is taken only from an issuer with `sharedAudience`.
 *
 * @throws {PlumblineError} `ERR_TOKEN_UNTRUSTED`: `issuer` or `audience`; `ERR_TOKEN_CLAIMS` when they are no texts.
 */
export function findIssuer<Entry extends IssuerEntry>(payload: JsonObject, entries: readonly Entry[]): Entry {
  const { iss, audiences } = issuerClaims(payload);
  const ofIssuer = entries.filter(({ settings }) => settings.issuer === iss);
  if (ofIssuer.length === 0) throw refused('issuer');
  const found = ofIssuer.filter(({ settings }) => isFor(settings, audiences));
  const [first] = found;
  if (first === undefined) throw refused('audience');
  return found.length === 1 ? first : bySubject(payload['sub'], found);
}

/** Never the first of several: what tells them apart is in the subject, or the token is nobody's. */
function bySubject<Entry extends IssuerEntry>(sub: unknown, found: readonly Entry[]): Entry {
  const prefixes = found.map(({ settings }) => profileOf(settings.profile).subjectPrefix);
  const entry = found.find((_, index) => hasPrefix(sub, prefixes[index]));
  if (entry === undefined) throw refused(prefixes.includes(undefined) ? 'audience' : 'subject');
  return entry;
}

function isFor(settings: IssuerSettings, audiences: readonly string[]): boolean {
  if (audiences.length > 1 && !settings.sharedAudience) return false;
  return audiences.some((audience) => settings.audiences.includes(audience));
}

function hasPrefix(sub: unknown, prefix: string | undefined): boolean {
  return typeof sub === 'string' && prefix !== undefined && sub.startsWith(prefix);
}

/** @throws {PlumblineError} `ERR_TOKEN_UNTRUSTED`: `algorithm` or `type`. */
export function checkHeader({ header }: CompactToken, settings: IssuerSettings): void {
  if (!settings.algorithms.some((each) => each === header.alg)) throw refused('algorithm');
  if (!isExpectedType(header.typ, settings)) throw refused('type');
}

/**
 * Verifies the signature with the keys of the token's `kid`, each by its one algorithm.
 *
 * @throws {PlumblineError} `ERR_TOKEN_UNTRUSTED`: `key`, `algorithm` or `signature`.
 */
export async function checkSignature({ text, header }: CompactToken, keys: readonly VerificationKey[]): Promise<void> {
  if (keys.length === 0) throw refused('key');
  const fitting = keys.filter(({ alg }) => alg === header.alg);
  if (fitting.length === 0) throw refused('algorithm');
  for (const key of fitting) if (await isSignedBy(text, key)) return;
  throw refused('signature');
}

async function isSignedBy(text: string, { alg, key }: VerificationKey): Promise<boolean> {
  try {
    await compactVerify(text, key, { algorithms: [alg] });
    return true;
  } catch {
    return false;
  }
}

export interface ReadToken {
  readonly token: VerifiedToken;
  readonly times: TokenTimes;
}

/**
 * What a token says, checked and normalised; the signature is the caller's to check.
 *
 * @throws {PlumblineError} `ERR_TOKEN_EXPIRED` or `ERR_TOKEN_CLAIMS`.
 */
export function readClaims({ text, payload }: CompactToken, settings: IssuerSettings, now: number): ReadToken {
  const times = checkTimes(payload, settings, now);
  const { iss, sub, audiences } = checkClaimShape(payload);
  const { signed, tokenId } = profileOf(settings.profile).read(new ClaimReader(payload), settings);
  const token: VerifiedToken = {
    issuer: settings.name,
    profile: settings.profile,
    iss,
    subject: sub,
    audience: audiences.find((audience) => settings.audiences.includes(audience)) ?? '',
    signed: Object.fromEntries(Object.entries(signed).filter(([, value]) => value !== undefined)),
    claims: payload,
    use: settings.use,
    tokenId: tokenId ?? signedPartHash(text),
    tokenHash: tokenHash(text),
    expiresAt: times.expiresAt,
  };
  return { token, times };
}

/** The same refusal with the issuer's name in it. */
export function naming(issuer: string, thrown: unknown): unknown {
  if (!(thrown instanceof PlumblineError) || thrown.details['issuer'] !== undefined) return thrown;
  const { reason, field } = thrown.details;
  if (reason === undefined) return thrown;
  return refused(reason as RefusalReason, { issuer, field: field as string | undefined });
}
