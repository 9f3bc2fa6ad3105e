import type { JsonValue } from '#core/json.ts';
import { type Caller, factsOf } from '../auth/caller.ts';

type Facts = Readonly<Record<string, JsonValue>>;

/** What the audit says of a caller: who, by which token, and what that token signs. Never its claims. */
export function callerFacts(caller: Caller): Facts {
  const { issuer, iss, subject, tokenId, tokenHash, scope, runId } = caller;
  return present({ issuer, iss, subject, tokenId, tokenHash, scope, runId, signed: present(factsOf(caller)) });
}

function present(fields: object): Facts {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Facts;
}
