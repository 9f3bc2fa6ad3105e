import type { Caller } from '../auth/caller.ts';
import { anonymousCaller } from './anonymous-caller.ts';
import type { Binding } from './binding.ts';
import { callerChecks } from './binding-checks.ts';
import { isAnonymousDenied } from './decide-anonymous.ts';
import { type ExampleOutcome, inWords } from './example-outcome.ts';
import { type ExampleTime, exampleTime } from './example-time.ts';
import type { DecisionReason } from './policy-answer.ts';
import type { ExampleEntry } from './policy-document.ts';
import type { PolicyParts } from './policy-parts.ts';

/**
 * Tries an example of a binding for calls that bring nothing: an allowed address must be one of the binding's; a denied one must be
 * none of its, nor of another such binding that gives one of its roles, unless a deny rule takes them all.
 */
export function tryAnonymousExample(
  parts: PolicyParts,
  binding: Binding,
  { claims, at }: ExampleEntry,
  expected: 'allow' | 'deny',
): ExampleOutcome {
  const time = exampleTime(binding, at);
  const caller = anonymousCaller(String(claims['address']));
  if (caller === undefined) return { passed: false, outcome: 'no address', reasons: [] };
  const reasons = refusals(binding, caller, time);
  if (expected === 'allow') return { passed: reasons.length === 0, outcome: wordsOf(reasons), reasons };
  const roles = [...binding.roles].filter((role) => !isAnonymousDenied(parts, caller, role, time));
  const open = parts.anonymous.find(
    (other) =>
      (other === binding || time.counts(other)) &&
      roles.some((role) => other.roles.has(role)) &&
      refusals(other, caller, time).length === 0,
  );
  if (open === undefined) return { passed: true, outcome: wordsOf(reasons), reasons };
  return { passed: false, outcome: `allowed by '${open.name}'`, reasons: [{ reason: 'binding', rule: open.name }] };
}

function refusals(binding: Binding, caller: Caller, { now }: ExampleTime): DecisionReason[] {
  const failed = [...callerChecks(binding, { caller }, now)].filter(({ held }) => !held);
  return failed.map(({ reason, field }) => ({ reason, rule: binding.name, field }));
}

function wordsOf(reasons: readonly DecisionReason[]): string {
  return reasons.length === 0 ? 'allowed' : `refused: ${inWords(reasons)}`;
}
