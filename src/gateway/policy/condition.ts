import type { JsonValue } from '#core/json.ts';
import { Glob } from './glob.ts';
import type { Condition, ParameterRule } from './role.ts';

/** A longer parameter matches no glob: nobody may keep the gateway busy with one. */
const MAX_GLOB_TEXT = 16_384;

/** A condition that is ready to be asked. */
export interface CompiledCondition {
  readonly condition: Condition;
  readonly glob?: Glob | undefined;
}

export function compileCondition(condition: Condition): CompiledCondition {
  return { condition: operatorOf(condition), glob: 'glob' in condition ? new Glob(condition.glob) : undefined };
}

export function compileParameters(
  rules: Readonly<Record<string, ParameterRule>>,
): ReadonlyMap<string, CompiledCondition & { readonly optional: boolean }> {
  return new Map(
    Object.entries(rules).map(([name, rule]) => [
      name,
      { ...compileCondition(rule), optional: rule.optional === true },
    ]),
  );
}

/**
 * Whether a claim satisfies a condition. A claim that is missing or null satisfies nothing but `exists: false`. A list
 * satisfies `equals`, `oneOf` and `glob` when one of its members does, or when it is itself the list that is named.
 */
export function claimMatches(compiled: CompiledCondition, claim: JsonValue | undefined): boolean {
  const { condition } = compiled;
  const present = claim !== undefined && claim !== null;
  if ('exists' in condition) return condition.exists === present;
  if (!present) return false;
  if (holds(compiled, claim)) return true;
  return Array.isArray(claim) && claim.some((member) => holds(compiled, member));
}

/** Whether a parameter satisfies a condition: as a claim, but null is a value like any other, and a list is one value. */
export function parameterMatches(compiled: CompiledCondition, value: JsonValue | undefined): boolean {
  const { condition } = compiled;
  if ('exists' in condition) return condition.exists === (value !== undefined);
  return value !== undefined && holds(compiled, value);
}

function holds({ condition, glob }: CompiledCondition, value: JsonValue): boolean {
  if ('equals' in condition) return sameValue(condition.equals, value);
  if ('oneOf' in condition) return condition.oneOf.some((one) => sameValue(one, value));
  const text = textOf(value);
  return glob !== undefined && text !== undefined && text.length <= MAX_GLOB_TEXT && glob.matches(text);
}

/** Texts, numbers and booleans are the same when their texts are: issuers and Luigi write `"7"` and `"true"` for 7 and true. */
function sameValue(wanted: JsonValue, value: JsonValue): boolean {
  if (Array.isArray(wanted)) {
    return Array.isArray(value) && wanted.length === value.length && wanted.every((one, i) => sameValue(one, value[i]));
  }
  const text = textOf(wanted);
  return text !== undefined && text === textOf(value);
}

function textOf(value: JsonValue): string | undefined {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
}

/** Only the operator, without what stands beside it in the file. */
function operatorOf(condition: Condition): Condition {
  if ('equals' in condition) return { equals: condition.equals };
  if ('oneOf' in condition) return { oneOf: condition.oneOf };
  if ('glob' in condition) return { glob: condition.glob };
  return { exists: condition.exists };
}
