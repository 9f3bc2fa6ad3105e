import type { CompactToken } from './compact-token.ts';
import type { IssuerSettings } from './issuer-settings.ts';
import type { RefusalReason } from './token-refused.ts';

/** What an explanation compares. */
export interface Compared {
  readonly token: CompactToken;
  /** Every issuer of the policy. */
  readonly issuers: readonly IssuerSettings[];
  /** The token's own, when one was found. */
  readonly issuer: IssuerSettings | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

type Words = (compared: Compared) => string;

/** What the token says beside what the policy says, for a person; never part of an answer of the gateway. */
export function tokenComparison(reason: RefusalReason | undefined, compared: Compared): string | undefined {
  const words = reason === undefined || !Object.hasOwn(WORDS, reason) ? undefined : WORDS[reason];
  return words?.(compared);
}

/** Each only for a reason whose check knows that the claims it speaks of are clean texts or times. */
const WORDS: Readonly<Partial<Record<RefusalReason, Words>>> = {
  issuer: ({ token, issuers }) => beside([token.payload['iss']], unique(issuers.map(({ issuer }) => issuer))),
  audience: ({ token, issuers }) => {
    const { iss, aud } = token.payload;
    const possible = issuers.filter(({ issuer }) => issuer === iss).flatMap(({ audiences }) => audiences);
    return beside(Array.isArray(aud) ? aud : [aud], unique(possible));
  },
  algorithm: ({ token, issuer }) => beside([token.header.alg], issuer?.algorithms ?? []),
  type: ({ token }) => `it has '${token.header.typ}'`,
  key: ({ token }) => `its kid is '${token.header.kid}'`,
  expired: ({ token, now }) => `it ended at ${time(token, 'exp')}, now it is ${iso(now)}`,
  'not-yet-valid': ({ token, now }) => `it was issued at ${time(token, 'iat')}, now it is ${iso(now)}`,
  lifetime: ({ token, issuer }) =>
    `it lives ${seconds(token, 'exp') - seconds(token, 'iat')} s, the policy allows ${(issuer?.maxLifetimeMs ?? 0) / 1_000} s`,
  age: ({ token, issuer, now }) =>
    `it is ${Math.round(now / 1_000 - seconds(token, 'iat'))} s old, the policy allows ${(issuer?.maxAgeMs ?? 0) / 1_000} s`,
};

const MOST_NAMED = 8;

function beside(found: readonly unknown[], expected: readonly string[]): string {
  const named = expected.slice(0, MOST_NAMED).map((each) => `'${each}'`);
  const more = expected.length > MOST_NAMED ? ` and ${expected.length - MOST_NAMED} more` : '';
  return `it has ${found.map((each) => `'${String(each)}'`).join(', ')}, the policy has ${named.join(', ')}${more}`;
}

function unique(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)];
}

function seconds({ payload }: CompactToken, claim: 'exp' | 'iat'): number {
  return Number(payload[claim]);
}

function time(token: CompactToken, claim: 'exp' | 'iat'): string {
  return iso(seconds(token, claim) * 1_000);
}

function iso(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
