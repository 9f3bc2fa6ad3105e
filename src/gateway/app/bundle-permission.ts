import { PlumblineError } from '#core/errors.ts';
import type { Caller } from '../auth/caller.ts';
import { bundleChecks, callerChecks } from '../policy/binding-checks.ts';
import { denies, unknownCaller } from '../policy/decide-question.ts';
import type { LoadedPolicy } from '../policy/loaded-policy.ts';
import type { CodeSource } from '../policy/role.ts';

/**
 * Whether a caller may bring code for a role, before it says what is to be run: a binding that knows the caller, whose period
 * and whose conditions on repository and ref hold, and no deny rule. What is run is decided when a run is created.
 *
 * @throws {PlumblineError} `ERR_RUN_DENIED`
 */
export function bundlePermission(
  { parts }: Pick<LoadedPolicy, 'parts'>,
  caller: Caller,
  roleName: string,
  now: number,
): Extract<CodeSource, { kind: 'bundle' }> {
  const role = parts.roles.get(roleName);
  if (unknownCaller(parts, caller) !== undefined || role === undefined) throw denied(roleName);
  const { code } = role.role;
  const about = { kind: 'roles', name: roleName } as const;
  const bindings = (parts.bindingsOf.get(caller.issuer) ?? []).filter(({ roles }) => roles.has(roleName));
  const isBound = bindings.some((binding) =>
    [...callerChecks(binding, { caller }, now), ...bundleChecks(binding, role, { caller })].every(({ held }) => held),
  );
  if (!isBound || parts.deny.some((rule) => denies(rule, { caller }, about, now))) throw denied(roleName);
  if (code.kind === 'bundle') return code;
  throw new PlumblineError(
    'ERR_RUN_DENIED',
    `No code is taken for the role '${roleName}': the policy names where it comes from`,
    {
      remedy: 'Leave the bundle out, or ask for a role with code of the kind bundle.',
      details: { role: roleName },
    },
  );
}

/** The same words for every reason: who may not use a role is not told whether it is there. */
function denied(role: string): PlumblineError {
  return new PlumblineError(
    'ERR_RUN_DENIED',
    `No code is taken for the role '${role}': the policy does not let this caller`,
    {
      remedy: 'Ask whoever owns the policy; `plumbline policy explain` says which rule decides.',
      details: { role },
    },
  );
}
