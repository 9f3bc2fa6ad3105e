import type { PlumblineError } from '#core/errors.ts';
import { asPlumblineError } from '#core/errors.ts';
import type { VerifiedToken } from './caller.ts';
import { checkClaimShape } from './claim-shape.ts';
import { checkTimes } from './claim-times.ts';
import { callerOf } from './combine-run-facts.ts';
import { type CompactToken, readCompactToken, type TokenHeader, tokenHash } from './compact-token.ts';
import type { IssuerSettings } from './issuer-settings.ts';
import type { JsonObject } from './strict-json.ts';
import { type Compared, tokenComparison } from './token-comparison.ts';
import { type RefusalReason, refusalText } from './token-refused.ts';
import { importKeys } from './verification-key.ts';
import { checkHeader, checkSignature, findIssuer, readClaims } from './verify-token.ts';

export type TokenCheckName =
  | 'form'
  | 'issuer'
  | 'algorithm and type'
  | 'signature'
  | 'times'
  | 'claims'
  | 'profile'
  | 'authorises';

/** One row of the explanation. */
export interface TokenCheck {
  readonly name: TokenCheckName;
  readonly result: 'passed' | 'failed' | 'skipped';
  /** Only when it failed; the same word as in the gateway's answer and audit. */
  readonly reason?: RefusalReason | undefined;
  /** The claim or header parameter. */
  readonly field?: string | undefined;
  /** Why it failed or was skipped, and what was compared; without its full stop. It may quote clean claims, never the token. */
  readonly why?: string | undefined;
}

/** What the gateway would say of a token. It holds neither the token nor its signature. */
export interface TokenExplanation {
  /** `unproven`: it would be accepted if its signature is good, which could not be checked without keys. */
  readonly verdict: 'accepted' | 'unproven' | 'refused';
  /** In the order in which the gateway makes them; the first that failed is its answer. */
  readonly checks: readonly TokenCheck[];
  /** A usual mistake that explains the failure. */
  readonly hint?: string | undefined;
  /** SHA-256 of the token as the audit records it. */
  readonly tokenHash: string;
  /** Of whoever wrote the token: to be shown escaped. Absent when the token has no good form. */
  readonly header?: TokenHeader | undefined;
  readonly claims?: JsonObject | undefined;
  /** The issuer of the policy whose token it is. */
  readonly issuer?: IssuerSettings | undefined;
  /** What the policy's bindings would see; absent when it cannot be read. With `unproven` it is a claim, not a fact. */
  readonly token?: VerifiedToken | undefined;
}

export interface ExplainOptions {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** A JWK set to check the signature with; without it the issuer's `jwks` of the policy, without that the row is skipped. */
  readonly jwks?: unknown;
}

/** Says of a token, without any network, which of the gateway's checks it passes. Never throws for what the token is. */
export async function explainToken(
  text: string,
  issuers: readonly IssuerSettings[],
  { now, jwks }: ExplainOptions,
): Promise<TokenExplanation> {
  const rows = new Rows();
  const compact = await rows.run('form', () => readCompactToken(text));
  const issuer = await rows.run('issuer', compact && (() => findIssuer(compact.payload, entriesOf(issuers)).settings));
  const both = compact && issuer && { compact, issuer };
  await rows.run('algorithm and type', both && (() => checkHeader(both.compact, both.issuer)));
  await explainSignature(rows, both, jwks);
  await rows.run('times', both && (() => checkTimes(both.compact.payload, both.issuer, now)));
  const clean = await rows.run('claims', compact && (() => checkClaimShape(compact.payload)));
  const token = await rows.run('profile', clean && both && (() => readFacts(both, now)));
  await rows.run('authorises', token && issuer && (() => callerOf(token, issuer)));
  const checks = compact === undefined ? rows.checks : compared(rows.checks, { token: compact, issuers, issuer, now });
  const { header, payload: claims } = compact ?? {};
  const { verdict } = rows;
  return { verdict, checks, hint: hintOf(text), tokenHash: tokenHash(String(text)), header, claims, issuer, token };
}

function compared(checks: readonly TokenCheck[], what: Compared): readonly TokenCheck[] {
  return checks.map((check) => {
    const more = tokenComparison(check.reason, what);
    return more === undefined ? check : { ...check, why: `${check.why}: ${more}` };
  });
}

interface TokenAndIssuer {
  readonly compact: CompactToken;
  readonly issuer: IssuerSettings;
}

const NO_KEYS = 'there are no keys here to check it with';

async function explainSignature(rows: Rows, both: TokenAndIssuer | undefined, jwks: unknown): Promise<void> {
  const set = jwks ?? both?.issuer.jwks;
  if (both === undefined || set === undefined) {
    rows.skip('signature', both === undefined ? undefined : NO_KEYS);
    return;
  }
  const keys = await importKeys(set, both.issuer).catch(() => undefined);
  if (keys === undefined) rows.skip('signature', 'the keys are no JWK set');
  else await rows.run('signature', () => checkSignature(both.compact, keys.get(both.compact.header.kid) ?? []));
}

/** The times have a row of their own: the profile is read as of the token's own time. */
function readFacts({ compact, issuer }: TokenAndIssuer, now: number): VerifiedToken {
  const { iat } = compact.payload;
  const then = typeof iat === 'number' ? Math.floor(iat * 1_000) : now;
  const timeless = { ...issuer, maxLifetimeMs: Number.POSITIVE_INFINITY, maxAgeMs: undefined };
  return readClaims(compact, timeless, then).token;
}

function entriesOf(issuers: readonly IssuerSettings[]): { settings: IssuerSettings }[] {
  return issuers.map((settings) => ({ settings }));
}

/** The rows so far. */
class Rows {
  readonly checks: TokenCheck[] = [];

  /** Makes a check, or skips it when what it needs is missing. Gives what the check gave when it passed. */
  async run<Value>(
    name: TokenCheckName,
    check: (() => Value | Promise<Value>) | undefined,
  ): Promise<Value | undefined> {
    if (check === undefined) {
      this.skip(name);
      return undefined;
    }
    try {
      const value = await check();
      this.checks.push({ name, result: 'passed' });
      return value;
    } catch (thrown) {
      this.checks.push(failed(name, asPlumblineError(thrown)));
      return undefined;
    }
  }

  skip(name: TokenCheckName, why = 'an earlier check failed'): void {
    this.checks.push({ name, result: 'skipped', why });
  }

  get verdict(): TokenExplanation['verdict'] {
    if (this.checks.some(({ result }) => result === 'failed')) return 'refused';
    return this.checks.some(({ result }) => result === 'skipped') ? 'unproven' : 'accepted';
  }
}

function failed(name: TokenCheckName, error: PlumblineError): TokenCheck {
  const reason = error.details['reason'] as RefusalReason | undefined;
  const field = error.details['field'] as string | undefined;
  return { name, result: 'failed', reason, field, why: reason === undefined ? error.message : refusalText(reason) };
}

function hintOf(text: string): string | undefined {
  if (/^\s*$/.test(text)) return 'it is empty';
  if (/^\s*Bearer\s/i.test(text)) return 'it begins with `Bearer`: give the token alone';
  if (/^\s*["']|["']\s*$/.test(text)) return 'it stands in quotes';
  if (/^\s|\s$/.test(text)) return 'there is a space or line break before or after it';
  if (/^[\w-]+\.[\w-]+\.?$/.test(text)) return 'it has no signature';
  if (text.split('.').length === 5) return 'it is encrypted (JWE); ask the issuer for a signed token';
  return undefined;
}
