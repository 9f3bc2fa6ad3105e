import type { Caller, VerifiedToken } from '#gateway/auth/caller.ts';
import { callerChecks } from '#gateway/policy/binding-checks.ts';
import type { LoadedPolicy } from '#gateway/policy/loaded-policy.ts';

/** What one binding would give to a caller. */
export interface RoleOffer {
  readonly binding: string;
  readonly roles: readonly string[];
  /** Names of grants. */
  readonly airflow: readonly string[];
  readonly pipelines: readonly string[];
  /** Fields that keep the caller from it, e.g. `claim prj_id`; empty when it has the roles. */
  readonly missing: readonly string[];
}

/** Every binding for callers of this issuer, those that fit first. What is asked for is not looked at, and neither are deny rules. */
export function rolesFor(
  { parts }: LoadedPolicy,
  token: VerifiedToken,
  runFacts: VerifiedToken | undefined,
  now: number,
): readonly RoleOffer[] {
  const caller: Caller = { ...token, runFacts, scope: '' };
  const offers = (parts.bindingsOf.get(token.issuer) ?? []).map((binding) => {
    const failed = [...callerChecks(binding, { caller }, now)].filter(({ held }) => !held);
    return {
      binding: binding.name,
      roles: [...binding.roles],
      airflow: [...binding.airflow],
      pipelines: [...binding.pipelines],
      missing: failed.map(({ field }) => field),
    };
  });
  return offers.toSorted((a, b) => a.missing.length - b.missing.length);
}
