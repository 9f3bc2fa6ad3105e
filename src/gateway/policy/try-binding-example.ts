import { parseDuration } from '#core/duration.ts';
import { PlumblineError } from '#core/errors.ts';
import type { Binding, CompiledRole } from './binding.ts';
import { bundleChecks, callerChecks, requirementChecks } from './binding-checks.ts';
import { denies } from './decide.ts';
import { exampleCaller, exampleToken } from './example-caller.ts';
import { type ExampleOutcome, inWords } from './example-outcome.ts';
import { type ExampleTime, exampleTime } from './example-time.ts';
import { familyChecks } from './family-checks.ts';
import type { DecisionReason, RunPermission } from './policy.ts';
import type { BindingEntry, ExampleEntry } from './policy-document.ts';
import type { PolicyParts } from './policy-parts.ts';
import { type Check, roleChecks } from './role-checks.ts';

interface Trial extends ExampleTime {
  readonly parts: PolicyParts;
  readonly wanted: RunPermission;
  /** Only the caller is tried, not what is asked for. */
  readonly callerOnly: boolean;
  /** A task that must get a token. */
  readonly task?: { readonly family: string; readonly identity?: string | undefined } | undefined;
}

/** Tries an example of a binding for callers who bring a token. */
export function tryBindingExample(
  parts: PolicyParts,
  binding: Binding,
  entry: BindingEntry,
  example: ExampleEntry,
  expected: 'allow' | 'deny',
): ExampleOutcome {
  const trial = trialOf(parts, binding, entry, example);
  if (typeof trial === 'string') {
    const reasons = [{ reason: 'token', field: trial }];
    return { passed: expected === 'deny', outcome: `refused: no token of the issuer is like this (${trial})`, reasons };
  }
  return expected === 'allow' ? tryAllow(trial, binding) : tryDeny(trial, binding);
}

function tryAllow(trial: Trial, binding: Binding): ExampleOutcome {
  const reasons = refusals(trial, binding);
  if (reasons.length > 0) return { passed: false, outcome: `refused: ${inWords(reasons)}`, reasons };
  const denial = denialOf(trial);
  const outcome = denial === undefined ? 'allowed' : `allowed, but for now the deny rule '${denial}' refuses it`;
  return { passed: true, outcome, reasons };
}

function tryDeny(trial: Trial, binding: Binding): ExampleOutcome {
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

function* checksOf({ wanted, now, callerOnly, task }: Trial, binding: Binding, role: CompiledRole): Generator<Check> {
  yield* callerChecks(binding, wanted, now);
  yield* bundleChecks(binding, role, wanted);
  yield* requirementChecks(binding, wanted);
  if (!callerOnly) yield* roleChecks(role, wanted);
  if (task !== undefined) yield* familyChecks(binding, role, task);
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
  const { run, role = entry.roles[0] ?? '', evidence, at, family, identity } = example;
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
    const task = family === undefined ? undefined : { family, identity };
    return { parts, wanted, callerOnly: run === undefined, task, ...exampleTime(binding, at) };
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
