import { neutralise } from '#core/neutralise.ts';
import { oneLine } from '#core/task-name.ts';
import type { ActivePeriod } from './binding.ts';
import { bindingChecks, denyChecks } from './binding-checks.ts';
import { decide, unknownCaller } from './decide.ts';
import type { LoadedPolicy } from './loaded-policy.ts';
import type { Decision, RunPermission } from './policy.ts';
import type { Condition } from './role.ts';
import type { Check } from './role-checks.ts';

/** One comparison. */
export interface ExplanationRow {
  /** Name of the binding or deny rule; `(caller)` for what comes before them. */
  readonly rule: string;
  readonly kind: 'caller' | 'deny' | 'binding';
  /** e.g. `claim prj_id`, `parameter date`, `require.approval`. */
  readonly field: string;
  /** What the policy says. */
  readonly wanted: string;
  /** What the caller has; only with `showValues`. */
  readonly actual?: string | undefined;
  readonly matched: boolean;
}

export interface Explanation {
  readonly decision: Decision;
  readonly rows: readonly ExplanationRow[];
}

const MAX_VALUE = 120;

/**
 * A decision with everything that was compared on the way to it: every deny rule, and every binding that gives the role to
 * callers of this issuer.
 *
 * @param showValues shows the claims and parameters that were compared: for somebody who passed them in, never for a log.
 */
export function explainDecision(
  { parts }: LoadedPolicy,
  wanted: RunPermission,
  now: number,
  { showValues = false }: { readonly showValues?: boolean } = {},
): Explanation {
  const rows = (kind: 'deny' | 'binding', rule: string, checks: Iterable<Check>): ExplanationRow[] =>
    Array.from(checks, (check) => rowOf(kind, rule, check, showValues));
  const role = parts.roles.get(wanted.role);
  const candidates = (parts.bindingsOf.get(wanted.caller.issuer) ?? []).filter(({ roles }) => roles.has(wanted.role));
  return {
    decision: decide(parts, wanted, now),
    rows: [
      ...callerRows(parts, wanted),
      ...parts.deny.flatMap((rule) => rows('deny', rule.name, denyChecks(rule, wanted, now))),
      ...(role === undefined
        ? []
        : candidates.flatMap((binding) => rows('binding', binding.name, bindingChecks(binding, role, wanted, now)))),
    ],
  };
}

/** The explanation as text: the decision, then a line for each comparison under its rule. */
export function formatExplanation({ decision, rows }: Explanation): string {
  const width = Math.max(0, ...rows.map(({ field }) => field.length));
  const lines = rows.map((row, i) => {
    const isFirst = i === 0 || rows[i - 1]?.rule !== row.rule || rows[i - 1]?.kind !== row.kind;
    const actual = row.actual === undefined ? '' : `, is ${row.actual}`;
    const line = `    ${row.matched ? 'yes' : 'no '}  ${row.field.padEnd(width)}  ${row.wanted}${actual}`;
    return isFirst ? `  ${row.kind} ${row.rule}\n${line}` : line;
  });
  return [...verdict(decision), ...lines].join('\n');
}

function verdict({ allowed, wouldAllow, mode, binding, reasons, policy }: Decision): string[] {
  const word = allowed ? (wouldAllow ? 'allowed' : 'allowed, because the binding only reports') : 'refused';
  const by = binding === undefined ? '' : ` by ${binding} (${mode})`;
  const why = reasons.map(({ reason, rule, field }) => [reason, rule, field].filter(Boolean).join(' · '));
  return [`${word}${by}`, `policy sha256:${policy}`, ...why.map((line) => `because ${line}`)];
}

function callerRows(parts: LoadedPolicy['parts'], { caller, role }: RunPermission): ExplanationRow[] {
  const unknown = unknownCaller(parts, caller);
  const row = { rule: '(caller)', kind: 'caller' as const };
  return [
    { ...row, field: unknown?.field ?? 'issuer', wanted: 'an issuer of this policy', matched: unknown === undefined },
    { ...row, field: 'role', wanted: 'a role of this policy', matched: parts.roles.has(role) },
  ];
}

function rowOf(kind: 'deny' | 'binding', rule: string, check: Check, showValues: boolean): ExplanationRow {
  const { field, wanted, actual, held } = check;
  const isTime = field === 'from, until';
  const shown = isTime ? periodText({ from: Number(actual) }).replace('from ', '') : text(actual);
  return {
    rule,
    kind,
    field,
    wanted: wantedText(wanted),
    matched: held,
    actual: showValues || isTime ? shown : undefined,
  };
}

function wantedText(wanted: Check['wanted']): string {
  if (wanted === undefined) return 'none';
  if (typeof wanted === 'number') return `at most ${wanted}`;
  if (typeof wanted !== 'object') return String(wanted);
  if (Array.isArray(wanted)) return `one of ${wanted.join(', ')}`;
  return isCondition(wanted) ? conditionText(wanted) : periodText(wanted as ActivePeriod);
}

function isCondition(wanted: object): wanted is Condition {
  return ['equals', 'oneOf', 'glob', 'exists'].some((operator) => Object.hasOwn(wanted, operator));
}

function conditionText(condition: Condition): string {
  if ('equals' in condition) return `equals ${text(condition.equals)}`;
  if ('oneOf' in condition) return `one of ${condition.oneOf.map(text).join(', ')}`;
  if ('glob' in condition) return `like ${text(condition.glob)}`;
  return condition.exists ? 'is there' : 'is not there';
}

function periodText({ from, until }: ActivePeriod): string {
  const parts = [
    from === undefined ? '' : `from ${instant(from)}`,
    until === undefined ? '' : `until ${instant(until)}`,
  ];
  return parts.filter(Boolean).join(' ') || 'at any time';
}

function instant(ms: number): string {
  return Number.isFinite(ms) && Math.abs(ms) < 8.64e15 ? new Date(ms).toISOString() : 'no time';
}

/** On one line, without anything that a terminal or an agent obeys. */
function text(value: unknown): string {
  if (value === undefined) return '(missing)';
  const json = JSON.stringify(value) ?? '(missing)';
  return neutralise(oneLine(json.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' '), MAX_VALUE));
}
