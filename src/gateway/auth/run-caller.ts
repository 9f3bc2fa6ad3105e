import type { Caller } from './caller.ts';
import type { RunTokenFacts } from './run-tokens.ts';

/** Name and `iss` of the tokens that this gateway issues; no issuer of a policy may have it. */
export const OWN_ISSUER = 'plumbline';

/** Whoever holds a run token: may do with this one run what its creator may. Nothing about anybody is signed by it. */
export function runCaller({ runId, scope, expiresAt, tokenHash }: RunTokenFacts): Caller {
  return {
    issuer: OWN_ISSUER,
    profile: 'oidc',
    iss: OWN_ISSUER,
    subject: `run:${runId}`,
    audience: OWN_ISSUER,
    signed: {},
    claims: {},
    use: 'run',
    tokenId: `${runId}.${expiresAt}`,
    tokenHash,
    expiresAt,
    scope,
    runId,
  };
}
