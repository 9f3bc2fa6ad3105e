import type { JsonValue } from '#core/json.ts';
import type { ActivePeriod, CompiledRole } from './binding.ts';
import { parameterMatches } from './condition.ts';
import type { Glob } from './glob.ts';
import type { RunPermission } from './policy.ts';
import type { Condition } from './role.ts';

/** One thing that was compared. `caller` and `code` hold in every mode; what is `run` can be let pass by a report. */
export interface Check {
  readonly kind: 'caller' | 'code' | 'run';
  /** Stable word when it does not hold. */
  readonly reason: string;
  readonly field: string;
  readonly held: boolean;
  /** What the policy says, for an explanation. */
  readonly wanted: Condition | ActivePeriod | string | number | boolean | readonly string[] | undefined;
  /** What the caller has. It never leaves the process but in an explanation that somebody asked for. */
  readonly actual: JsonValue | undefined;
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
    const actual = Object.hasOwn(given, name) ? given[name] : undefined;
    const held = (actual === undefined && rule.optional) || parameterMatches(rule, actual);
    yield { kind: 'run', reason: 'parameter', field: `parameter ${name}`, held, wanted: rule.condition, actual };
  }
  for (const [name, actual] of Object.entries(given)) {
    const field = shown(name);
    // The gateway fills it; whoever could give it too would choose which of the two counts.
    if (compiled.secretParameters.has(name))
      yield {
        kind: 'code',
        reason: 'parameter-secret',
        field,
        held: false,
        wanted: 'not given: the gateway fills it',
        actual,
      };
    else if (!compiled.parameters.has(name))
      yield {
        kind: 'run',
        reason: 'parameter-unknown',
        field,
        held: compiled.role.otherParameters,
        wanted: 'one that the role names',
        actual,
      };
  }
}

/** What is no name at all is refused in every mode. */
function named(field: string, globs: readonly Glob[], name: string): Check {
  const isName = isDottedName(name);
  const held = isName && globs.some((glob) => glob.matches(name));
  const wanted = globs.map(({ pattern }) => pattern);
  return { kind: isName ? 'run' : 'code', reason: field, field, held, wanted, actual: name };
}

/** Whether a text can be the name of a module or family. */
export function isDottedName(name: string): boolean {
  return name.length <= MAX_NAME && DOTTED_NAME.test(name);
}

/** What is not said is what the role gives; what is no count is refused in every mode. */
function atMost(reason: string, field: string, value: number | undefined, most: number): Check {
  const isCount = value === undefined || (Number.isSafeInteger(value) && value >= 1);
  const held = isCount && (value ?? 0) <= most;
  return { kind: isCount ? 'run' : 'code', reason, field, held, wanted: most, actual: value };
}

/** Names come from the caller and go to the audit. */
function shown(parameter: string): string {
  const isShort = parameter.length <= MAX_SHOWN && DOTTED_NAME.test(parameter);
  return isShort ? `parameter ${parameter}` : 'parameter of no valid name';
}
