import type { JsonValue } from '#core/json.ts';
import type { ActivePeriod, CompiledRole } from './binding.ts';
import type { Glob } from './glob.ts';
import { parameterChecks } from './parameter-checks.ts';
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
  readonly wanted:
    | Condition
    | readonly Condition[]
    | ActivePeriod
    | string
    | number
    | boolean
    | readonly string[]
    | undefined;
  /** What the caller has. It never leaves the process but in an explanation that somebody asked for. */
  readonly actual: JsonValue | undefined;
}

/** Of a Python module; Luigi families with a namespace look the same. */
const DOTTED_NAME = /^[\p{L}_][\p{L}\p{N}_]*(\.[\p{L}_][\p{L}\p{N}_]*)*$/u;
const MAX_NAME = 256;

/** What a role says about the run itself. */
export function* roleChecks(compiled: CompiledRole, wanted: RunPermission): Generator<Check> {
  const { role, modules, tasks } = compiled;
  yield named('module', modules, wanted.module);
  yield named('task', tasks, wanted.task);
  yield* parameterChecks(
    {
      parameters: compiled.parameters,
      others: role.otherParameters,
      isFilled: (name) => compiled.secretParameters.has(name),
      filledReason: 'parameter-secret',
      isName: isDottedName,
    },
    wanted.parameters,
  );
  yield atMost('workers', 'workers', wanted.workers, role.maxWorkers);
  yield atMost('timeout', 'timeoutMs', wanted.timeoutMs, role.maxRuntimeMs);
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
