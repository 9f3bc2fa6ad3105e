import type { SignedFacts } from '../auth/caller.ts';
import { type Binding, type CompiledRole, isActive } from './binding.ts';
import { type CompiledCondition, claimMatches } from './condition.ts';
import type { RunPermission } from './policy.ts';
import type { Requirement } from './policy-document.ts';
import { type Check, roleChecks } from './role-checks.ts';

/** Stable words of a decision for what `require` asks. */
const REQUIREMENTS: Readonly<Record<Requirement, string>> = {
  refProtected: 'require-ref-protected',
  notRequester: 'require-not-requester',
  approval: 'require-approval',
};

/**
 * Everything that one binding asks of a caller for a role, in the order of a decision: who it is, when, with which code,
 * and then what `require` and the role say. Only the last part can be let pass by `mode: report`.
 */
export function* bindingChecks(
  binding: Binding,
  role: CompiledRole,
  wanted: RunPermission,
  now: number,
): Generator<Check> {
  yield* callerChecks(binding, wanted, now);
  yield* bundleChecks(role, trustedFacts(binding, wanted));
  yield* requirementChecks(binding, wanted);
  yield* roleChecks(role, wanted);
}

/** Who the caller is and whether the binding holds now. */
export function* callerChecks(binding: Binding, { caller }: RunPermission, now: number): Generator<Check> {
  const { runFacts } = caller;
  yield { kind: 'caller', reason: 'issuer', field: 'issuer', held: caller.issuer === binding.issuer };
  yield {
    kind: 'caller',
    reason: 'run-facts-issuer',
    field: 'runFactsIssuer',
    held: runFacts?.issuer === binding.runFactsIssuer,
  };
  for (const condition of binding.conditions) {
    const claims = condition.runFacts ? runFacts?.claims : caller.claims;
    const held = claimMatches(condition, claims && condition.read(claims));
    yield { kind: 'caller', reason: 'claim-mismatch', field: claimField(condition), held, condition };
  }
  yield { kind: 'caller', reason: 'outside-period', field: 'from, until', held: isActive(binding, now) };
}

/** What `require` asks. Evidence that is missing satisfies nothing. */
export function* requirementChecks(binding: Binding, wanted: RunPermission): Generator<Check> {
  for (const requirement of binding.require) {
    const held = requirement === 'refProtected' ? isProtected(binding, wanted) : hasEvidence(wanted, requirement);
    yield { kind: 'run', reason: REQUIREMENTS[requirement], field: `require.${requirement}`, held };
  }
}

export function claimField({ claim, runFacts }: { readonly claim: string; readonly runFacts: boolean }): string {
  return `${runFacts ? 'run fact' : 'claim'} ${claim}`;
}

/** Uploaded code is bound to what a token signs about its repository, in every mode. */
function* bundleChecks({ bundle }: CompiledRole, facts: SignedFacts): Generator<Check> {
  if (bundle === undefined) return;
  yield code('code-repository', 'fact repository', bundle.repository, facts.repository);
  yield code('code-ref', 'fact ref', bundle.ref, facts.ref);
}

function code(reason: string, field: string, condition: CompiledCondition, fact: string | undefined): Check {
  return { kind: 'code', reason, field, held: claimMatches(condition, fact), condition };
}

/** Facts of the caller's own token and, over them, of the run facts that the binding names: of no other token. */
function trustedFacts({ runFactsIssuer }: Binding, { caller }: RunPermission): SignedFacts {
  const { signed, runFacts } = caller;
  if (runFacts === undefined || runFacts.issuer !== runFactsIssuer) return signed;
  const present = Object.entries(runFacts.signed).filter(([, value]) => value !== undefined);
  return { ...signed, ...Object.fromEntries(present) };
}

function isProtected(binding: Binding, wanted: RunPermission): boolean {
  return trustedFacts(binding, wanted).refProtected === true;
}

function hasEvidence({ evidence = {} }: RunPermission, requirement: Requirement): boolean {
  return Object.hasOwn(evidence, requirement) && evidence[requirement] === true;
}
