import type { Clock } from '#core/clock.ts';
import { PlumblineError } from '#core/errors.ts';
import type { Logger } from '#core/logger.ts';
import type { Http } from '#http/http.ts';
import type { Authenticator, Credentials } from './authenticator.ts';
import type { Caller, VerifiedToken } from './caller.ts';
import { callerOf, combineRunFacts } from './combine-run-facts.ts';
import { checkSize, readCompactToken, tokenHash } from './compact-token.ts';
import { IssuerKeys, KEY_LIMITS, type KeyLimits } from './issuer-keys.ts';
import { issuerConflicts, issuerProblems } from './issuer-problems.ts';
import type { IssuerSettings } from './issuer-settings.ts';
import { type Perishable, TokenCache } from './token-cache.ts';
import { checkHeader, checkSignature, findIssuer, type IssuerEntry, naming, readClaims } from './verify-token.ts';

export interface AuthenticatorCollaborators {
  /** Keys are fetched through it. */
  readonly http: Http;
  readonly clock: Clock;
  /** Told when keys of an issuer cannot be fetched and when they can again, and what is doubtful about an issuer. */
  readonly log?: Pick<Logger, 'info' | 'debug'> | undefined;
  readonly limits?: Partial<KeyLimits> | undefined;
}

interface Entry extends IssuerEntry {
  readonly keys: IssuerKeys;
}

interface Verified extends Perishable {
  readonly token: VerifiedToken;
  readonly entry: Entry;
  readonly keysVersion: number;
  caller: Caller | undefined;
}

const CACHED_MS = 60_000;
const CACHED_TOKENS = 4_096;

/**
 * Verifies tokens of these issuers and no others. It begins to fetch their keys at once and does so in the background until
 * `close`; an issuer that cannot be reached fails alone.
 *
 * A good token is remembered for at most a minute and never past its end; what the policy changes holds from the next
 * request on, and so does a key that its issuer took back, once that was seen.
 *
 * @throws {PlumblineError} `ERR_ISSUER_INVALID`; from `configure` too, which then changes nothing.
 */
export function createAuthenticator(
  issuers: readonly IssuerSettings[],
  { http, clock, log, limits }: AuthenticatorCollaborators,
): Authenticator {
  const cache = new TokenCache<Verified>(CACHED_TOKENS);
  let entries: ReadonlyMap<string, Entry> = new Map();
  let generation = 0;
  configure(issuers);
  return { authenticate, verify, configure, health, close };

  async function authenticate({ bearer, runFacts }: Credentials): Promise<Caller> {
    const verified = await verifiedOf(bearer);
    verified.caller ??= frozen(callerOf(verified.token, verified.entry.settings));
    if (runFacts === undefined) return verified.caller;
    return combineRunFacts(verified.caller, await verify(runFacts));
  }

  async function verify(token: string): Promise<VerifiedToken> {
    return (await verifiedOf(token)).token;
  }

  async function verifiedOf(text: string): Promise<Verified> {
    checkSize(text);
    const key = `${generation} ${tokenHash(text)}`;
    const known = cache.get(key, clock.now());
    if (known !== undefined && known.entry.keys.version === known.keysVersion) return known;
    const verified = await verifiedAnew(text);
    cache.set(key, verified);
    return verified;
  }

  async function verifiedAnew(text: string): Promise<Verified> {
    const compact = readCompactToken(text);
    const entry = findIssuer(compact.payload, [...entries.values()]);
    try {
      checkHeader(compact, entry.settings);
      const { keys, version } = await entry.keys.find(compact.header.kid);
      await checkSignature(compact, keys);
      const now = clock.now();
      const { token, times } = readClaims(compact, entry.settings, now);
      const until = Math.min(times.usableUntil, now + CACHED_MS);
      return { token: frozen(token), entry, keysVersion: version, until, caller: undefined };
    } catch (thrown) {
      throw naming(entry.settings.name, thrown);
    }
  }

  function configure(wanted: readonly IssuerSettings[]): void {
    checkIssuers(wanted);
    for (const warning of warningsOf(wanted)) log?.info(warning);
    const kept = new Map<string, Entry>();
    for (const settings of wanted) kept.set(settings.name, { settings, keys: keysFor(settings) });
    const used = new Set([...kept.values()].map(({ keys }) => keys));
    for (const { keys } of entries.values()) if (!used.has(keys)) keys.close();
    entries = kept;
    generation += 1;
    cache.clear();
  }

  /** Those that are there already when nothing that concerns keys has changed. */
  function keysFor(settings: IssuerSettings): IssuerKeys {
    const same = [...entries.values()].find((entry) => keyIdentity(entry.settings) === keyIdentity(settings));
    if (same !== undefined) return same.keys;
    const keys = new IssuerKeys(settings, { http, clock, log, limits: { ...KEY_LIMITS, ...limits } });
    keys.open();
    return keys;
  }

  function health() {
    return [...entries.values()].map(({ keys }) => keys.health());
  }

  function close(): void {
    for (const { keys } of entries.values()) keys.close();
    cache.clear();
  }
}

function keyIdentity({ name, issuer, profile, jwksUri, jwks, algorithms }: IssuerSettings): string {
  return JSON.stringify([name, issuer, profile, jwksUri, jwks, algorithms]);
}

function checkIssuers(issuers: readonly IssuerSettings[]): void {
  const [conflict] = issuerConflicts(issuers);
  if (conflict !== undefined)
    throw invalid(
      conflict.name,
      'issuer',
      `its name, or its issuer and audience, are those of '${conflict.other}' too`,
    );
  for (const settings of issuers) {
    const wrong = issuerProblems(settings).find(({ level }) => level === 'error');
    if (wrong !== undefined) throw invalid(settings.name, wrong.field, wrong.why);
  }
}

function warningsOf(issuers: readonly IssuerSettings[]): string[] {
  return issuers.flatMap((settings) =>
    issuerProblems(settings)
      .filter(({ level }) => level === 'warning')
      .map(({ field, why }) => `Issuer '${settings.name}' (${field}): ${why}`),
  );
}

function invalid(name: string, field: string, why: string): PlumblineError {
  return new PlumblineError('ERR_ISSUER_INVALID', `Issuer '${name}' cannot be used (${field}): ${why}`, {
    remedy: 'Correct it in the policy; docs/gateway/tokens.md has an example for each kind of issuer.',
    details: { issuer: name, field },
  });
}

/** Requests share it: none may change what the next one sees. */
function frozen<Value>(value: Value): Value {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const inner of Object.values(value)) frozen(inner);
  return Object.freeze(value);
}
