import type { JsonValue } from '#core/json.ts';
import type { CompiledRole } from './binding.ts';
import { type CompiledCondition, parameterMatches } from './condition.ts';
import type { Glob } from './glob.ts';
import type { RunPermission } from './policy.ts';

/** One thing that was compared. `caller` and `code` hold in every mode; what is `run` can be let pass by a report. */
export interface Check {
  readonly kind: 'caller' | 'code' | 'run';
  /** Stable word when it does not hold. */
  readonly reason: string;
  readonly field: string;
  readonly held: boolean;
  readonly condition?: CompiledCondition | undefined;
}

/** Of a Python module; Luigi families with a namespace look the same. */
const DOTTED_NAME = /^[\p{L}_][\p{L}\p{N}_]*(\.[\p{L}_][\p{L}\p{N}_]*)*$/u;
const MAX_NAME = 256;
const MAX_SHOWN = 64;

/** What a role says about the run itself. */
export function* roleChecks(compiled: CompiledRole, wanted: RunPermission): Generator<Check> {
  const { role, modules, tasks } = compiled;
  yield named('module', modules, wanted.module);
  yield named('task', tasks, wanted.task);
  yield* parameterChecks(compiled, wanted.parameters);
  yield atMost('workers', 'workers', wanted.workers, role.maxWorkers);
  yield atMost('timeout', 'timeoutMs', wanted.timeoutMs, role.maxRuntimeMs);
}

function* parameterChecks(compiled: CompiledRole, given: Readonly<Record<string, JsonValue>>): Generator<Check> {
  for (const [name, rule] of compiled.parameters) {
    const isGiven = Object.hasOwn(given, name);
    const held = isGiven ? parameterMatches(rule, given[name]) : rule.optional || parameterMatches(rule, undefined);
    yield { ...run('parameter', `parameter ${name}`, held), condition: rule };
  }
  for (const name of Object.keys(given)) {
    const isSecret = compiled.secretParameters.has(name);
    // The gateway fills it; whoever could give it too would choose which of the two counts.
    if (isSecret) yield { ...run('parameter-secret', shown(name), false), kind: 'code' };
    else if (!compiled.parameters.has(name)) yield run('parameter-unknown', shown(name), compiled.role.otherParameters);
  }
}

function run(reason: string, field: string, held: boolean): Check {
  return { kind: 'run', reason, field, held };
}

/** What is no name at all is refused in every mode. */
function named(field: string, globs: readonly Glob[], name: string): Check {
  const isName = name.length <= MAX_NAME && DOTTED_NAME.test(name);
  const held = isName && globs.some((glob) => glob.matches(name));
  return { ...run(field, field, held), kind: isName ? 'run' : 'code' };
}

/** What is not said is what the role gives; what is no count is refused in every mode. */
function atMost(reason: string, field: string, value: number | undefined, most: number): Check {
  if (value === undefined) return run(reason, field, true);
  const isCount = Number.isSafeInteger(value) && value >= 1;
  return { ...run(reason, field, isCount && value <= most), kind: isCount ? 'run' : 'code' };
}

/** Names come from the caller and go to the audit. */
function shown(parameter: string): string {
  return parameter.length <= MAX_SHOWN && DOTTED_NAME.test(parameter)
    ? `parameter ${parameter}`
    : 'parameter of no valid name';
}
