import type { Caller, VerifiedToken } from '../auth/caller.ts';
import type { Binding, CompiledRole, DenyRule } from './binding.ts';
import { bindingChecks, denyChecks } from './binding-checks.ts';
import { type Decision, type DecisionReason, LEGACY_ISSUER, type RunPermission } from './policy.ts';
import type { Mode } from './policy-document.ts';
import type { PolicyParts } from './policy-parts.ts';
import type { Check } from './role-checks.ts';

/** A refusal names the bindings that came nearest, and no more of them than a person reads. */
const MAX_REASONS = 16;

/** What one binding says. */
export interface Judgement {
  readonly binding: Binding;
  readonly failed: readonly Check[];
  /** Refused by nothing but what a report lets pass. */
  readonly isReportable: boolean;
}

/**
 * Decides in this order: a caller that no issuer of the policy stands for, an unknown role and a deny rule refuse; the
 * first binding that holds in everything allows; a binding in report mode whose caller, period and code hold lets
 * pass what else it refuses; everything else is refused.
 */
export function decide(parts: PolicyParts, wanted: RunPermission, now: number): Decision {
  const refuse = (reasons: readonly DecisionReason[]): Decision => refusal(parts, reasons);
  const unknown = unknownCaller(parts, wanted.caller);
  if (unknown !== undefined) return refuse([unknown]);
  const role = parts.roles.get(wanted.role);
  if (role === undefined) return refuse([{ reason: 'unknown-role', field: 'role' }]);
  const denials = parts.deny.filter((rule) => denies(rule, wanted, now));
  if (denials.length > 0) return refuse(denials.map(({ name }) => ({ reason: 'deny-rule', rule: name })));
  const judgements = judge(parts, role, wanted, now);
  const [first] = judgements.filter(({ failed }) => failed.length === 0);
  if (first !== undefined) return allowed(parts, role, first.binding, []);
  const [reported] = judgements.filter(({ binding, isReportable }) => isReportable && binding.mode === 'report');
  if (reported !== undefined) return allowed(parts, role, reported.binding, reasonsOf([reported]));
  return refuse(judgements.length === 0 ? [{ reason: 'no-binding', field: 'role' }] : reasonsOf(nearest(judgements)));
}

/** Whether a deny rule strikes. */
export function denies(rule: DenyRule, wanted: RunPermission, now: number): boolean {
  for (const { held } of denyChecks(rule, wanted, now)) if (!held) return false;
  return true;
}

/**
 * Why a caller is none of this policy's: a run's own token starts nothing, and a token that was verified under another
 * list of issuers has no standing under this one.
 */
export function unknownCaller(parts: PolicyParts, caller: Caller): DecisionReason | undefined {
  if (caller.use === 'run') return { reason: 'run-token', field: 'token' };
  const isLegacy = caller.issuer === LEGACY_ISSUER;
  if (!isLegacy && (!isKnown(parts, caller) || parts.issuers.get(caller.issuer)?.factsOnly === true))
    return { reason: 'unknown-issuer', field: 'issuer' };
  if (caller.runFacts !== undefined && !isKnown(parts, caller.runFacts))
    return { reason: 'unknown-issuer', field: 'run facts' };
  return undefined;
}

function isKnown({ issuers }: PolicyParts, { issuer, iss, audience }: VerifiedToken): boolean {
  const settings = issuers.get(issuer);
  return settings !== undefined && settings.issuer === iss && settings.audiences.includes(audience);
}

function judge(parts: PolicyParts, role: CompiledRole, wanted: RunPermission, now: number): Judgement[] {
  const candidates = parts.bindingsOf.get(wanted.caller.issuer) ?? [];
  return candidates
    .filter(({ roles }) => roles.has(role.role.name))
    .map((binding) => judgement(binding, role, wanted, now));
}

/** Stops at the first thing that no mode lets pass; collects all that a report would list. */
export function judgement(binding: Binding, role: CompiledRole, wanted: RunPermission, now: number): Judgement {
  const failed: Check[] = [];
  for (const check of bindingChecks(binding, role, wanted, now)) {
    if (check.held) continue;
    failed.push(check);
    if (check.kind === 'caller') break;
  }
  return { binding, failed, isReportable: failed.every(({ kind }) => kind === 'run') };
}

/** Bindings that know the caller come before those that do not. */
function nearest(judgements: readonly Judgement[]): Judgement[] {
  const isStranger = ({ failed }: Judgement) => (failed.some(({ kind }) => kind === 'caller') ? 1 : 0);
  return judgements.toSorted((a, b) => isStranger(a) - isStranger(b));
}

function reasonsOf(judgements: readonly Judgement[]): DecisionReason[] {
  const reasons = judgements.flatMap(({ binding, failed }) =>
    failed.map(({ reason, field }) => ({ reason, rule: binding.name, field })),
  );
  return reasons.slice(0, MAX_REASONS);
}

function refusal({ sha256, document }: PolicyParts, reasons: readonly DecisionReason[]): Decision {
  const mode: Mode = document.mode ?? 'enforce';
  return { allowed: false, wouldAllow: false, mode, reasons, policy: sha256 };
}

function allowed(
  { sha256 }: PolicyParts,
  { role }: CompiledRole,
  { name, mode, until }: Binding,
  refusals: readonly DecisionReason[],
): Decision {
  const wouldAllow = refusals.length === 0;
  const reasons = wouldAllow ? [{ reason: 'binding', rule: name }] : refusals;
  return { allowed: true, wouldAllow, mode, binding: name, role, reasons, policy: sha256, until };
}
