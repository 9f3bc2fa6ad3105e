import { type ErrorCode, PlumblineError } from '#core/errors.ts';

/** Why a token is refused, with the error's code. The words are stable: audit, answers and `token explain` use them. */
export const REFUSALS = {
  size: 'ERR_TOKEN_MALFORMED',
  form: 'ERR_TOKEN_MALFORMED',
  encoding: 'ERR_TOKEN_MALFORMED',
  json: 'ERR_TOKEN_MALFORMED',
  'duplicate-key': 'ERR_TOKEN_MALFORMED',
  depth: 'ERR_TOKEN_MALFORMED',
  header: 'ERR_TOKEN_MALFORMED',
  'run-token': 'ERR_TOKEN_UNTRUSTED',
  'worker-token': 'ERR_TOKEN_UNTRUSTED',
  issuer: 'ERR_TOKEN_UNTRUSTED',
  audience: 'ERR_TOKEN_UNTRUSTED',
  algorithm: 'ERR_TOKEN_UNTRUSTED',
  type: 'ERR_TOKEN_UNTRUSTED',
  key: 'ERR_TOKEN_UNTRUSTED',
  signature: 'ERR_TOKEN_UNTRUSTED',
  'facts-only': 'ERR_TOKEN_UNTRUSTED',
  'run-facts': 'ERR_TOKEN_UNTRUSTED',
  expired: 'ERR_TOKEN_EXPIRED',
  times: 'ERR_TOKEN_CLAIMS',
  'not-yet-valid': 'ERR_TOKEN_CLAIMS',
  lifetime: 'ERR_TOKEN_CLAIMS',
  age: 'ERR_TOKEN_CLAIMS',
  claim: 'ERR_TOKEN_CLAIMS',
  text: 'ERR_TOKEN_CLAIMS',
  subject: 'ERR_TOKEN_CLAIMS',
  tenant: 'ERR_TOKEN_CLAIMS',
  kind: 'ERR_TOKEN_CLAIMS',
  keys: 'ERR_ISSUER_UNAVAILABLE',
} as const satisfies Record<string, ErrorCode>;

export type RefusalReason = keyof typeof REFUSALS;

const WHY: Readonly<Record<RefusalReason, string>> = {
  size: 'it is larger than a token may be',
  form: 'it is not three base64url parts with a dot between them',
  encoding: 'its base64url or UTF-8 is not the one way to write it',
  json: 'its header or payload is not a JSON object',
  'duplicate-key': 'a name stands twice in its header or payload',
  depth: 'its payload is nested too deep',
  header: 'its header has a parameter that is not allowed or is no short text',
  'run-token': 'it is no run token of this gateway, or one of another run',
  'worker-token': 'it is no worker token of this gateway',
  issuer: 'no issuer of the policy has its iss',
  audience: 'no issuer of the policy has its iss with its aud',
  algorithm: 'its algorithm is not one of its issuer',
  type: 'its typ is not one of the tokens that this issuer gives',
  key: 'its issuer has no such key',
  signature: 'its signature is not one of its issuer',
  'facts-only': 'its issuer only signs run facts beside another token',
  'run-facts': 'this pair of token and run facts is not accepted together',
  expired: 'its time is over',
  times: 'exp, iat or nbf is missing, no time, or contradicts another',
  'not-yet-valid': 'its time has not come (iat or nbf lies in the future)',
  lifetime: 'it lives longer than the policy allows for its issuer',
  age: 'it was issued longer ago than the policy allows for its issuer',
  claim: 'a claim is missing or not of its type or form',
  text: 'a claim holds control characters, or is longer than it may be',
  subject: 'its sub does not fit its issuer or its other claims',
  tenant: 'it belongs to another tenant or organization than its issuer',
  kind: 'it is another kind of token than its profile takes',
  keys: 'there are no keys of its issuer to verify it with',
};

const REMEDY: Readonly<Partial<Record<ErrorCode, string>>> = {
  ERR_TOKEN_EXPIRED: 'Ask for the token right before it is used.',
  ERR_ISSUER_UNAVAILABLE: 'Try again; if it stays, look at /readyz of the gateway, which names the last failure.',
};
const EXPLAIN = 'Run `plumbline token explain` where the token is: it shows each check.';

export interface RefusalFacts {
  /** The issuer's name in the policy, when one was found. */
  readonly issuer?: string | undefined;
  /** The claim or header parameter, as the profile names it; never what a token wrote. */
  readonly field?: string | undefined;
}

/** The error for a token that is refused. Nothing of the token is in it: whoever sent it may have written anything. */
export function refused(reason: RefusalReason, { issuer, field }: RefusalFacts = {}): PlumblineError {
  const code = REFUSALS[reason];
  const whose = issuer === undefined ? 'The token' : `The token of issuer '${issuer}'`;
  const where = field === undefined ? '' : ` (${field})`;
  return new PlumblineError(code, `${whose} is refused: ${WHY[reason]}${where}`, {
    remedy: REMEDY[code] ?? EXPLAIN,
    details: { reason, ...(issuer !== undefined && { issuer }), ...(field !== undefined && { field }) },
  });
}

/** What `refused` says of the reason alone. */
export function refusalText(reason: RefusalReason): string {
  return WHY[reason];
}
