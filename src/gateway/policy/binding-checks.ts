import type { SignedFacts } from '../auth/caller.ts';
import {
  type ActivePeriod,
  type Binding,
  type ClaimCondition,
  type CompiledRole,
  type DenyRule,
  isActive,
} from './binding.ts';
import { type CompiledCondition, claimMatches } from './condition.ts';
import type { Requirement } from './policy-document.ts';
import type { AccessKind, Asker, Candidate } from './question.ts';
import type { Check } from './role-checks.ts';

/** Stable words of a decision for what `require` asks. */
const REQUIREMENTS: Readonly<Record<Requirement, string>> = {
  refProtected: 'require-ref-protected',
  notRequester: 'require-not-requester',
  approval: 'require-approval',
};

/** What a list is called where one of its entries is meant. */
const ENTRY: Readonly<Record<AccessKind, string>> = {
  roles: 'role',
  airflow: 'airflow grant',
  pipelines: 'pipeline grant',
};

/**
 * Everything that one binding asks of a caller for what it gives, in the order of a decision: who it is, when, with which code,
 * and then what `require` and the role or grant say. Only the last part can be let pass by `mode: report`.
 */
export function* bindingChecks(binding: Binding, candidate: Candidate, asker: Asker, now: number): Generator<Check> {
  yield* callerChecks(binding, asker, now);
  yield* candidate.everyModeChecks(binding);
  yield* requirementChecks(binding, asker);
  yield* candidate.checks();
}

/** Who the caller is and whether the binding holds now. */
export function* callerChecks(binding: Binding, wanted: Asker, now: number): Generator<Check> {
  const { issuer, runFacts } = wanted.caller;
  yield same('issuer', 'issuer', binding.issuer, issuer);
  yield same('run-facts-issuer', 'runFactsIssuer', binding.runFactsIssuer, runFacts?.issuer);
  for (const condition of binding.conditions) yield claimCheck(condition, wanted);
  yield periodCheck(binding, now);
}

/** Whether a deny rule strikes: when all of this holds. */
export function* denyChecks(
  rule: DenyRule,
  asker: Asker,
  about: Pick<Candidate, 'kind' | 'name'>,
  now: number,
): Generator<Check> {
  if (rule.issuer !== undefined) yield same('issuer', 'issuer', rule.issuer, asker.caller.issuer);
  if ((rule.roles ?? rule.airflow ?? rule.pipelines) !== undefined) yield aboutCheck(rule, about);
  for (const condition of rule.conditions) yield claimCheck(condition, asker);
  yield periodCheck(rule, now);
}

function aboutCheck(rule: DenyRule, { kind, name }: Pick<Candidate, 'kind' | 'name'>): Check {
  const names = rule[kind];
  const word = ENTRY[kind];
  const held = names?.has(name) === true;
  return { kind: 'caller', reason: word, field: word, held, wanted: names && [...names], actual: name };
}

/** What `require` asks. Evidence that is missing satisfies nothing. */
export function* requirementChecks(binding: Binding, wanted: Asker): Generator<Check> {
  for (const requirement of binding.require) {
    const actual =
      requirement === 'refProtected' ? trustedFacts(binding, wanted).refProtected : evidenceOf(wanted, requirement);
    const field = `require.${requirement}`;
    yield { kind: 'run', reason: REQUIREMENTS[requirement], field, held: actual === true, wanted: true, actual };
  }
}

/** Uploaded code is bound to what a token signs about its repository, in every mode. */
export function* bundleChecks(binding: Binding, { bundle }: CompiledRole, wanted: Asker): Generator<Check> {
  if (bundle === undefined) return;
  const facts = trustedFacts(binding, wanted);
  yield code('code-repository', 'fact repository', bundle.repository, facts.repository);
  yield code('code-ref', 'fact ref', bundle.ref, facts.ref);
}

function code(reason: string, field: string, condition: CompiledCondition, actual: string | undefined): Check {
  const held = claimMatches(condition, actual);
  return { kind: 'code', reason, field, held, wanted: condition.condition, actual };
}

function same(reason: string, field: string, wanted: string | undefined, actual: string | undefined): Check {
  return { kind: 'caller', reason, field, held: wanted === actual, wanted, actual };
}

function claimCheck(condition: ClaimCondition, { caller }: Asker): Check {
  const { claim, runFacts } = condition;
  const claims = runFacts ? caller.runFacts?.claims : caller.claims;
  const actual = claims && condition.read(claims);
  const field = `${runFacts ? 'run fact' : 'claim'} ${claim}`;
  const held = claimMatches(condition, actual);
  return { kind: 'caller', reason: 'claim-mismatch', field, held, wanted: condition.condition, actual };
}

function periodCheck(period: ActivePeriod, now: number): Check {
  return {
    kind: 'caller',
    reason: 'outside-period',
    field: 'from, until',
    held: isActive(period, now),
    wanted: period,
    actual: now,
  };
}

/** Facts of the caller's own token and, over them, of the run facts that the binding names: of no other token. */
function trustedFacts({ runFactsIssuer }: Binding, { caller }: Asker): SignedFacts {
  const { signed, runFacts } = caller;
  if (runFacts === undefined || runFacts.issuer !== runFactsIssuer) return signed;
  const present = Object.entries(runFacts.signed).filter(([, value]) => value !== undefined);
  return { ...signed, ...Object.fromEntries(present) };
}

function evidenceOf({ evidence = {} }: Asker, requirement: Requirement): boolean | undefined {
  return Object.hasOwn(evidence, requirement) ? evidence[requirement] : undefined;
}
