import type { Caller, VerifiedToken } from '../auth/caller.ts';
import type { Binding, DenyRule } from './binding.ts';
import { bindingChecks, denyChecks } from './binding-checks.ts';
import { type Decision, LEGACY_ISSUER } from './policy.ts';
import type { DecisionReason } from './policy-answer.ts';
import type { Mode } from './policy-document.ts';
import type { PolicyParts } from './policy-parts.ts';
import type { Asker, Candidate, Question } from './question.ts';
import type { Check } from './role-checks.ts';

/** A refusal names the bindings that came nearest, and no more of them than a person reads. */
const MAX_REASONS = 16;

/** A decision and what it gives; only when allowed. */
export interface Verdict<Found> {
  readonly decision: Omit<Decision, 'role'>;
  readonly found?: Found | undefined;
}

/** What one binding says. */
interface Judgement<Found> {
  readonly binding: Binding;
  readonly found: Found;
  readonly failed: readonly Check[];
  /** Refused by nothing but what a report lets pass. */
  readonly isReported: boolean;
}

/**
 * Decides in this order: a caller that no issuer of the policy stands for, something that is not in the policy and a deny rule
 * refuse; the first binding that holds in everything allows; a binding in report mode whose caller, period and code hold lets
 * pass what else it refuses; everything else is refused.
 */
export function decideQuestion<Found extends Candidate>(
  parts: PolicyParts,
  question: Question<Found>,
  now: number,
): Verdict<Found> {
  const { asker, candidates } = question;
  const refuse = (reasons: readonly DecisionReason[]) => ({ decision: refusal(parts, reasons) });
  const unknown = unknownCaller(parts, asker.caller) ?? (candidates.length === 0 ? question.unknown : undefined);
  if (unknown !== undefined) return refuse([unknown]);
  const denials = parts.deny.filter((rule) => candidates.some((one) => denies(rule, asker, one, now)));
  const open = candidates.filter((one) => !denials.some((rule) => denies(rule, asker, one, now)));
  if (open.length === 0) return refuse(denials.map(({ name }) => ({ reason: 'deny-rule', rule: name })));
  const judgements = judge(parts, { ...question, candidates: open }, now);
  const [first] = judgements.filter(({ failed }) => failed.length === 0);
  if (first !== undefined) return allowed(parts, first, []);
  const [reported] = judgements.filter(({ binding, isReported }) => isReported && binding.mode === 'report');
  if (reported !== undefined) return allowed(parts, reported, reasonsOf([reported]));
  return refuse(
    judgements.length === 0 ? [{ reason: 'no-binding', field: question.field }] : reasonsOf(nearest(judgements)),
  );
}

/** Whether a deny rule strikes. */
export function denies(rule: DenyRule, asker: Asker, about: Pick<Candidate, 'kind' | 'name'>, now: number): boolean {
  for (const { held } of denyChecks(rule, asker, about, now)) if (!held) return false;
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

/** Every binding for this issuer with each thing that it gives of what would answer, in the order of the file. */
export function offersOf<Found extends Candidate>(
  { bindingsOf }: PolicyParts,
  { asker, candidates }: Question<Found>,
): { readonly binding: Binding; readonly found: Found }[] {
  const bindings = bindingsOf.get(asker.caller.issuer) ?? [];
  return bindings.flatMap((binding) =>
    candidates
      .filter(({ kind, name }) => binding[kind].has(name))
      .toSorted((a, b) => rank(binding, a) - rank(binding, b))
      .map((found) => ({ binding, found })),
  );
}

function rank(binding: Binding, { kind, name }: Candidate): number {
  return [...binding[kind]].indexOf(name);
}

function judge<Found extends Candidate>(
  parts: PolicyParts,
  question: Question<Found>,
  now: number,
): Judgement<Found>[] {
  return offersOf(parts, question).map(({ binding, found }) => judgement(binding, found, question.asker, now));
}

/** Stops at the first thing that no mode lets pass; collects all that a report would list. */
function judgement<Found extends Candidate>(
  binding: Binding,
  found: Found,
  asker: Asker,
  now: number,
): Judgement<Found> {
  const failed: Check[] = [];
  for (const check of bindingChecks(binding, found, asker, now)) {
    if (check.held) continue;
    failed.push(check);
    if (check.kind === 'caller') break;
  }
  return { binding, found, failed, isReported: found.isReportable && failed.every(({ kind }) => kind === 'run') };
}

/** Bindings that know the caller come before those that do not. */
function nearest<Found>(judgements: readonly Judgement<Found>[]): Judgement<Found>[] {
  const isStranger = ({ failed }: Judgement<Found>) => (failed.some(({ kind }) => kind === 'caller') ? 1 : 0);
  return judgements.toSorted((a, b) => isStranger(a) - isStranger(b));
}

function reasonsOf<Found>(judgements: readonly Judgement<Found>[]): DecisionReason[] {
  const reasons = judgements.flatMap(({ binding, failed }) =>
    failed.map(({ reason, field }) => ({ reason, rule: binding.name, field })),
  );
  return reasons.slice(0, MAX_REASONS);
}

function refusal({ sha256, document }: PolicyParts, reasons: readonly DecisionReason[]): Decision {
  const mode: Mode = document.mode ?? 'enforce';
  return { allowed: false, wouldAllow: false, mode, reasons, policy: sha256 };
}

function allowed<Found>(
  { sha256 }: PolicyParts,
  { binding: { name, mode, until }, found }: Judgement<Found>,
  refusals: readonly DecisionReason[],
): Verdict<Found> {
  const wouldAllow = refusals.length === 0;
  const reasons = wouldAllow ? [{ reason: 'binding', rule: name }] : refusals;
  return { decision: { allowed: true, wouldAllow, mode, binding: name, reasons, policy: sha256, until }, found };
}
