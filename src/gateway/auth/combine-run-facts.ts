import type { Caller, ProfileName, VerifiedToken } from './caller.ts';
import { callerScope } from './caller-scope.ts';
import { azureDevOpsOrganization } from './profiles/azure-issuer.ts';
import { refused } from './token-refused.ts';

/** Callers that sign nothing of a run themselves, so that another token may. */
const WITHOUT_RUN: ReadonlySet<ProfileName> = new Set(['entra', 'azure-connection']);
const CONNECTION_ORGANIZATION = /\/sc\/([0-9a-f-]{36})\/[0-9a-f-]{36}$/i;

/** A caller that is authorised by one token alone. @throws {PlumblineError} `facts-only` when its issuer authorises nobody. */
export function callerOf(token: VerifiedToken, { factsOnly }: { readonly factsOnly: boolean }): Caller {
  if (factsOnly) throw refused('facts-only', { issuer: token.issuer });
  return { ...token, scope: callerScope(token) };
}

/**
 * Puts the token of a pipeline's run beside the one that authorises (DESIGN §6.5). Both are verified. The facts must be of
 * an issuer with profile `azure-pipelines`; the caller must be of a profile that signs no run of its own; and a service
 * connection that names its organization must be of the run's.
 *
 * @throws {PlumblineError} `ERR_TOKEN_UNTRUSTED`: `run-facts`.
 */
export function combineRunFacts(caller: Caller, runFacts: VerifiedToken): Caller {
  if (runFacts.profile !== 'azure-pipelines') throw refused('run-facts', { issuer: runFacts.issuer });
  if (!WITHOUT_RUN.has(caller.profile)) throw refused('run-facts', { issuer: caller.issuer });
  const organization = organizationOf(caller);
  if (organization !== undefined && organization !== azureDevOpsOrganization(runFacts.iss))
    throw refused('run-facts', { issuer: caller.issuer, field: 'org_id' });
  return { ...caller, runFacts, scope: callerScope({ ...caller, runFacts }) };
}

/** The organization of a service connection, in lower case; an access token of Entra names none. */
function organizationOf({ profile, iss, subject }: VerifiedToken): string | undefined {
  if (profile !== 'azure-connection') return undefined;
  return azureDevOpsOrganization(iss) ?? CONNECTION_ORGANIZATION.exec(subject)?.[1]?.toLowerCase();
}
