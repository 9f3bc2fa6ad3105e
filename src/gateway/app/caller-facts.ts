import type { JsonValue } from '#core/json.ts';
import { redactJson } from '../audit/redaction-guard.ts';
import type { Caller } from '../auth/caller.ts';
import { auditedCaller } from '../runs/run-journal.ts';

type Facts = Readonly<Record<string, JsonValue>>;

/**
 * What the audit says of a caller: who, by which token, and what that token signs. Never its claims. Whoever chose the name of
 * an environment or a branch may have chosen one that the log takes for a credential.
 */
export function callerFacts(caller: Caller): Facts {
  return redactJson(auditedCaller(caller) as unknown as JsonValue) as Facts;
}
