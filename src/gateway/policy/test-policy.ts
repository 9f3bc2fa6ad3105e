import { parseDuration } from '#core/duration.ts';
import { PlumblineError } from '#core/errors.ts';
import type { FileProblem } from '../config/yaml-source.ts';
import type { ActivePeriod, Binding, CompiledRole } from './binding.ts';
import { bundleChecks, callerChecks, requirementChecks } from './binding-checks.ts';
import { denies } from './decide.ts';
import { exampleCaller, exampleToken } from './example-caller.ts';
import { parseInstant } from './instant.ts';
import type { LoadedPolicy } from './loaded-policy.ts';
import type { DecisionReason, RunPermission } from './policy.ts';
import type { BindingEntry, ExampleEntry } from './policy-document.ts';
import type { PolicyParts } from './policy-parts.ts';
import { type Check, roleChecks } from './role-checks.ts';

/** What became of one example. */
export interface ExampleResult {
  readonly binding: string;
  readonly expected: 'allow' | 'deny';
  /** Of the example or, without one, its number: `allow 1`. */
  readonly title: string;
  readonly passed: boolean;
  /** What came out, e.g. `refused: claim-mismatch (claim project_id)`. */
  readonly outcome: string;
  readonly reasons: readonly DecisionReason[];
  readonly at: FileProblem;
}

interface Trial {
  readonly parts: PolicyParts;
  readonly wanted: RunPermission;
  /** Only the caller is tried, not what is asked for. */
  readonly callerOnly: boolean;
  readonly now: number;
  /** Whether a rule counts at that time. Without a time of the example only what is there for good counts. */
  readonly counts: (period: ActivePeriod) => boolean;
}

/**
 * Tries the examples of every binding. An allow example must be allowed by its own binding; a deny example must be refused
 * by it, and no other binding may let it in. Enforcement is tried, whatever the mode. The result of a file never changes
 * with the day: an example without `at` is tried inside its binding's period, and periods of other rules do not count.
 */
export function testPolicy({ parts }: LoadedPolicy): readonly ExampleResult[] {
  return parts.document.bindings.flatMap((entry, i) =>
    (['allow', 'deny'] as const).flatMap((expected) =>
      entry.examples[expected].map((example, n) => {
        const { passed, outcome, reasons } = tryExample(parts, parts.bindings[i] as Binding, entry, example, expected);
        const at = parts.place(['bindings', i, 'examples', expected, n], outcome);
        const title = example.title ?? `${expected} ${n + 1}`;
        return { binding: entry.name, expected, title, passed, outcome, reasons, at };
      }),
    ),
  );
}

/** The examples that did not come out as they say, as problems of the file. */
export function exampleProblems(policy: LoadedPolicy): readonly FileProblem[] {
  const failed = testPolicy(policy).filter(({ passed }) => !passed);
  return failed.map(({ at, expected, outcome }) => ({
    ...at,
    message: `the example must be ${expected === 'allow' ? 'allowed' : 'refused'}, but it is ${outcome}`,
  }));
}

type Outcome = Pick<ExampleResult, 'passed' | 'outcome' | 'reasons'>;

function tryExample(
  parts: PolicyParts,
  binding: Binding,
  entry: BindingEntry,
  example: ExampleEntry,
  expected: 'allow' | 'deny',
): Outcome {
  const trial = trialOf(parts, binding, entry, example);
  if (typeof trial === 'string') {
    const reasons = [{ reason: 'token', field: trial }];
    return { passed: expected === 'deny', outcome: `refused: no token of the issuer is like this (${trial})`, reasons };
  }
  return expected === 'allow' ? tryAllow(trial, binding) : tryDeny(trial, binding);
}

function tryAllow(trial: Trial, binding: Binding): Outcome {
  const reasons = refusals(trial, binding);
  if (reasons.length > 0) return { passed: false, outcome: `refused: ${inWords(reasons)}`, reasons };
  const denial = denialOf(trial);
  const outcome = denial === undefined ? 'allowed' : `allowed, but for now the deny rule '${denial}' refuses it`;
  return { passed: true, outcome, reasons };
}

function tryDeny(trial: Trial, binding: Binding): Outcome {
  const { parts, wanted, counts } = trial;
  const denial = denialOf(trial);
  if (denial !== undefined) {
    return {
      passed: true,
      outcome: `refused: deny rule '${denial}'`,
      reasons: [{ reason: 'deny-rule', rule: denial }],
    };
  }
  const reasons = refusals(trial, binding);
  const others = parts.bindingsOf.get(wanted.caller.issuer) ?? [];
  const open = reasons.length === 0 ? binding : others.find((other) => counts(other) && permits(trial, other));
  if (open !== undefined) {
    return { passed: false, outcome: `allowed by '${open.name}'`, reasons: [{ reason: 'binding', rule: open.name }] };
  }
  return { passed: true, outcome: `refused: ${inWords(reasons)}`, reasons };
}

function denialOf({ parts, wanted, now, counts }: Trial): string | undefined {
  return parts.deny.find((rule) => counts(rule) && denies(rule, wanted, now))?.name;
}

function refusals(trial: Trial, binding: Binding): DecisionReason[] {
  const { wanted, parts } = trial;
  const role = parts.roles.get(wanted.role);
  const isGiven = binding.roles.has(wanted.role) && role !== undefined;
  if (!isGiven) return [{ reason: 'role', rule: binding.name, field: 'role' }];
  const failed = [...checksOf(trial, binding, role)].filter(({ held }) => !held);
  return failed.map(({ reason, field }) => ({ reason, rule: binding.name, field }));
}

function* checksOf({ wanted, now, callerOnly }: Trial, binding: Binding, role: CompiledRole): Generator<Check> {
  yield* callerChecks(binding, wanted, now);
  yield* bundleChecks(binding, role, wanted);
  yield* requirementChecks(binding, wanted);
  if (!callerOnly) yield* roleChecks(role, wanted);
}

/** As `refusals`, but it looks no further than the first: a thousand bindings ask it of each other. */
function permits(trial: Trial, binding: Binding): boolean {
  const role = trial.parts.roles.get(trial.wanted.role);
  if (role === undefined || !binding.roles.has(trial.wanted.role)) return false;
  for (const { held } of checksOf(trial, binding, role)) if (!held) return false;
  return true;
}

/** The example as a request; a text when no token of the issuer is like that: the claim that is wrong. */
function trialOf(parts: PolicyParts, binding: Binding, entry: BindingEntry, example: ExampleEntry): Trial | string {
  const { run, role = entry.roles[0] ?? '', evidence, at } = example;
  try {
    const wanted: RunPermission = {
      caller: callerOf(parts, entry, example),
      role,
      module: run?.module ?? '',
      task: run?.task ?? '',
      parameters: run?.parameters ?? {},
      workers: run?.workers,
      timeoutMs: run?.timeout === undefined ? undefined : parseDuration(run.timeout),
      evidence: evidence as Record<string, boolean> | undefined,
    };
    const counts = ({ from, until }: ActivePeriod) => at !== undefined || (from === undefined && until === undefined);
    return { parts, wanted, callerOnly: run === undefined, now: timeOf(binding, at), counts };
  } catch (error) {
    if (error instanceof PlumblineError) return String(error.details['field'] ?? error.details['reason']);
    throw error;
  }
}

function callerOf(
  { issuers }: PolicyParts,
  entry: BindingEntry,
  { claims, runFacts }: ExampleEntry,
): RunPermission['caller'] {
  const issuer = issuers.get(entry.issuer);
  const factsIssuer = issuers.get(entry.runFactsIssuer ?? '');
  if (issuer === undefined) throw new TypeError(`there is no issuer ${entry.issuer}`);
  const beside = runFacts && factsIssuer && exampleToken(factsIssuer, runFacts);
  return exampleCaller(issuer, claims, beside);
}

/** A moment at which the binding holds. */
function timeOf({ from, until }: ActivePeriod, at: string | undefined): number {
  return parseInstant(at ?? '') ?? from ?? (until === undefined ? 0 : until - 1);
}

function inWords(reasons: readonly DecisionReason[]): string {
  return reasons.map(({ reason, field }) => (field === undefined ? reason : `${reason} (${field})`)).join(', ');
}
