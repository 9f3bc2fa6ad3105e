import type { JsonValue } from '#core/json.ts';
import { type CompiledCondition, parameterMatches } from './condition.ts';
import type { Check } from './role-checks.ts';

/** What parameters may be, of a role or of a pipeline. */
export interface ParameterRules {
  readonly parameters: ReadonlyMap<string, CompiledCondition & { readonly optional: boolean }>;
  /** Those that are not named pass too. */
  readonly others: boolean;
  /** Parameters that the gateway fills: no caller may give them, in no mode. */
  readonly isFilled: (name: string) => boolean;
  /** Stable word for one of those that was given. */
  readonly filledReason: 'parameter-secret' | 'parameter-context';
  readonly isName: (name: string) => boolean;
}

const MAX_SHOWN = 64;

/** Every parameter with a condition, then every other one that was given. */
export function* parameterChecks(rules: ParameterRules, given: Readonly<Record<string, JsonValue>>): Generator<Check> {
  for (const [name, rule] of rules.parameters) {
    const actual = Object.hasOwn(given, name) ? given[name] : undefined;
    const held = (actual === undefined && rule.optional) || parameterMatches(rule, actual);
    yield { kind: 'run', reason: 'parameter', field: `parameter ${name}`, held, wanted: rule.condition, actual };
  }
  for (const [name, actual] of Object.entries(given)) {
    const check = { field: shown(rules, name), actual };
    // The gateway fills it; whoever could give it too would choose which of the two counts.
    if (rules.isFilled(name))
      yield {
        ...check,
        kind: 'code',
        reason: rules.filledReason,
        held: false,
        wanted: 'not given: the gateway fills it',
      };
    else if (!rules.parameters.has(name))
      yield {
        ...check,
        kind: 'run',
        reason: 'parameter-unknown',
        held: rules.others,
        wanted: 'one that the policy names',
      };
  }
}

/** Names come from the caller and go to the audit. */
function shown({ isName }: ParameterRules, parameter: string): string {
  return parameter.length <= MAX_SHOWN && isName(parameter) ? `parameter ${parameter}` : 'parameter of no valid name';
}
