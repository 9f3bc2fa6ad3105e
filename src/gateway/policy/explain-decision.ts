import { neutralise } from '#core/neutralise.ts';
import { oneLine } from '#core/task-name.ts';
import type { AirflowDecision, AirflowPermission, PipelineDecision, PipelinePermission } from './access-grants.ts';
import type { ActivePeriod } from './binding.ts';
import { bindingChecks, denyChecks } from './binding-checks.ts';
import { decide, decideAirflow, decidePipeline } from './decide.ts';
import { offersOf, unknownCaller } from './decide-question.ts';
import type { LoadedPolicy } from './loaded-policy.ts';
import type { Decision, RunPermission } from './policy.ts';
import type { Candidate, Question } from './question.ts';
import { airflowQuestion, pipelineQuestion, runQuestion } from './questions.ts';
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

export interface Explanation<Decided extends GivenDecision = GivenDecision> {
  readonly decision: Decided;
  readonly rows: readonly ExplanationRow[];
}

/** What every decision has, whatever it gives. */
export type GivenDecision = Omit<Decision, 'role'> & { readonly grant?: { readonly name: string } | undefined };

export interface ExplainOptions {
  /** Shows the claims and parameters that were compared: for somebody who passed them in, never for a log. Default: false. */
  readonly showValues?: boolean;
}

const MAX_VALUE = 120;
const NOTHING = { kind: 'roles', name: '' } as const;
const WITH_ARTICLE: Readonly<Record<string, string>> = {
  role: 'a role',
  'airflow grant': 'a grant',
  'pipeline grant': 'a grant',
};

/**
 * A decision about a run with everything that was compared on the way to it: every deny rule, and every binding that gives the
 * role to callers of this issuer.
 */
export function explainDecision(
  { parts }: LoadedPolicy,
  wanted: RunPermission,
  now: number,
  options: ExplainOptions = {},
): Explanation<Decision> {
  return { decision: decide(parts, wanted, now), rows: rowsOf(parts, runQuestion(parts, wanted), now, options) };
}

/** The same about a token for an Airflow. */
export function explainAirflow(
  { parts }: LoadedPolicy,
  wanted: AirflowPermission,
  now: number,
  options: ExplainOptions = {},
): Explanation<AirflowDecision> {
  const rows = rowsOf(parts, airflowQuestion(parts, wanted), now, options);
  return { decision: decideAirflow(parts, wanted, now), rows };
}

/** The same about queueing a pipeline. */
export function explainPipeline(
  { parts }: LoadedPolicy,
  wanted: PipelinePermission,
  now: number,
  options: ExplainOptions = {},
): Explanation<PipelineDecision> {
  const rows = rowsOf(parts, pipelineQuestion(parts, wanted), now, options);
  return { decision: decidePipeline(parts, wanted, now), rows };
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

function verdict({ allowed, wouldAllow, mode, binding, grant, reasons, policy }: GivenDecision): string[] {
  const word = allowed ? (wouldAllow ? 'allowed' : 'allowed, because the binding only reports') : 'refused';
  const by = binding === undefined ? '' : ` by ${binding} (${mode})`;
  const why = reasons.map(({ reason, rule, field }) => [reason, rule, field].filter(Boolean).join(' · '));
  const what = grant === undefined ? [] : [`gives ${grant.name}`];
  return [`${word}${by}`, ...what, `policy sha256:${policy}`, ...why.map((line) => `because ${line}`)];
}

function rowsOf(
  parts: LoadedPolicy['parts'],
  question: Question,
  now: number,
  { showValues = false }: ExplainOptions,
): ExplanationRow[] {
  const rows = (kind: 'deny' | 'binding', rule: string, checks: Iterable<Check>): ExplanationRow[] =>
    Array.from(checks, (check) => rowOf(kind, rule, check, showValues));
  const { asker, candidates } = question;
  const named = (rule: string, { name }: Pick<Candidate, 'name'>) =>
    candidates.length > 1 ? `${rule}, ${name}` : rule;
  // A run that asks for a role which is not there is still told which rules would strike.
  const about = candidates.length > 0 ? candidates : [NOTHING];
  return [
    ...callerRows(parts, question),
    ...about.flatMap((one) =>
      parts.deny.flatMap((rule) => rows('deny', named(rule.name, one), denyChecks(rule, asker, one, now))),
    ),
    ...offersOf(parts, question).flatMap(({ binding, found }) =>
      rows('binding', named(binding.name, found), bindingChecks(binding, found, asker, now)),
    ),
  ];
}

function callerRows(parts: LoadedPolicy['parts'], { asker, candidates, unknown, field }: Question): ExplanationRow[] {
  const stranger = unknownCaller(parts, asker.caller);
  const row = { rule: '(caller)', kind: 'caller' as const };
  const isThere = candidates.length > 0;
  return [
    { ...row, field: stranger?.field ?? 'issuer', wanted: 'an issuer of this policy', matched: stranger === undefined },
    {
      ...row,
      field: (isThere ? undefined : unknown.field) ?? field,
      wanted: `${WITH_ARTICLE[field] ?? field} of this policy`,
      matched: isThere,
    },
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
  if (Array.isArray(wanted)) return anyOf(wanted);
  return isCondition(wanted) ? conditionText(wanted) : periodText(wanted as ActivePeriod);
}

function anyOf(wanted: readonly (string | Condition)[]): string {
  const names = wanted.filter((one) => typeof one === 'string');
  if (names.length === wanted.length) return `one of ${names.join(', ')}`;
  return wanted.map((one) => (typeof one === 'string' ? one : conditionText(one))).join(' or ');
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
