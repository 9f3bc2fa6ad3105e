import { PlumblineError } from '#core/errors.ts';
import type { Caller } from '../auth/caller.ts';
import type { Binding } from './binding.ts';
import { callerChecks, requirementChecks } from './binding-checks.ts';
import { denies } from './decide-question.ts';
import { exampleCaller, exampleToken } from './example-caller.ts';
import { type ExampleOutcome, inWords } from './example-outcome.ts';
import { type ExampleSubject, exampleSubject } from './example-subject.ts';
import { type ExampleTime, exampleTime } from './example-time.ts';
import { familyChecks } from './family-checks.ts';
import type { DecisionReason } from './policy-answer.ts';
import type { BindingEntry, ExampleEntry } from './policy-document.ts';
import type { PolicyParts } from './policy-parts.ts';
import type { Asker, Candidate } from './question.ts';
import type { Check } from './role-checks.ts';

interface Trial extends ExampleTime, ExampleSubject {
  readonly parts: PolicyParts;
  readonly asker: Asker;
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
  const denial = denialOf(trial, trial.meant);
  const outcome = denial === undefined ? 'allowed' : `allowed, but for now the deny rule '${denial}' refuses it`;
  return { passed: true, outcome, reasons };
}

function tryDeny(trial: Trial, binding: Binding): ExampleOutcome {
  const { parts, asker, counts, candidates } = trial;
  const denials = candidates.map((one) => denialOf(trial, one));
  const [denial] = denials;
  if (denial !== undefined && !denials.includes(undefined)) {
    return {
      passed: true,
      outcome: `refused: deny rule '${denial}'`,
      reasons: [{ reason: 'deny-rule', rule: denial }],
    };
  }
  const all = parts.bindingsOf.get(asker.caller.issuer) ?? [];
  const given = candidates.filter((_, i) => denials[i] === undefined);
  const open = [binding, ...all].find(
    (one) => (one === binding || counts(one)) && given.some((candidate) => permits(trial, one, candidate)),
  );
  if (open !== undefined) {
    return { passed: false, outcome: `allowed by '${open.name}'`, reasons: [{ reason: 'binding', rule: open.name }] };
  }
  const reasons = refusals(trial, binding);
  return { passed: true, outcome: `refused: ${inWords(reasons)}`, reasons };
}

function denialOf({ parts, asker, now, counts }: Trial, about: Candidate | undefined): string | undefined {
  return parts.deny.find((rule) => counts(rule) && about !== undefined && denies(rule, asker, about, now))?.name;
}

function refusals(trial: Trial, binding: Binding): DecisionReason[] {
  const { meant } = trial;
  const isGiven = meant !== undefined && binding[meant.kind].has(meant.name);
  if (!isGiven) return [{ ...NOT_GIVEN[meant?.kind ?? 'roles'], rule: binding.name }];
  const failed = [...checksOf(trial, binding, meant)].filter(({ held }) => !held);
  return failed.map(({ reason, field }) => ({ reason, rule: binding.name, field }));
}

function* checksOf({ asker, now, callerOnly, task }: Trial, binding: Binding, one: Candidate): Generator<Check> {
  yield* callerChecks(binding, asker, now);
  if (!callerOnly || one.kind === 'roles') yield* one.everyModeChecks(binding);
  yield* requirementChecks(binding, asker);
  if (!callerOnly) yield* one.checks();
  if (task !== undefined) yield* familyChecks(binding, task.role, task);
}

/** What a binding does not give. */
const NOT_GIVEN: Readonly<Record<Candidate['kind'], Omit<DecisionReason, 'rule'>>> = {
  roles: { reason: 'role', field: 'role' },
  airflow: { reason: 'airflow', field: 'airflow grant' },
  pipelines: { reason: 'pipeline', field: 'pipeline grant' },
};

/** As `refusals`, but it looks no further than the first: a thousand bindings ask it of each other. */
function permits(trial: Trial, binding: Binding, one: Candidate): boolean {
  if (!binding[one.kind].has(one.name)) return false;
  for (const { held } of checksOf(trial, binding, one)) if (!held) return false;
  return true;
}

/** The example as a request; a text when no token of the issuer is like that: the claim that is wrong. */
function trialOf(parts: PolicyParts, binding: Binding, entry: BindingEntry, example: ExampleEntry): Trial | string {
  const { evidence, at } = example;
  try {
    const asker: Asker = {
      caller: callerOf(parts, entry, example),
      evidence: evidence as Record<string, boolean> | undefined,
    };
    return { parts, asker, ...exampleSubject(parts, asker, entry, example), ...exampleTime(binding, at) };
  } catch (error) {
    if (error instanceof PlumblineError) return String(error.details['field'] ?? error.details['reason']);
    throw error;
  }
}

function callerOf({ issuers }: PolicyParts, entry: BindingEntry, { claims, runFacts }: ExampleEntry): Caller {
  const issuer = issuers.get(entry.issuer);
  const factsIssuer = issuers.get(entry.runFactsIssuer ?? '');
  if (issuer === undefined) throw new TypeError(`there is no issuer ${entry.issuer}`);
  const beside = runFacts && factsIssuer && exampleToken(factsIssuer, runFacts);
  return exampleCaller(issuer, claims, beside);
}
