import { type ExpressionFunction, FUNCTIONS } from './expression-functions.ts';
import { type Expression, parseExpression } from './expression-parse.ts';
import { ExpressionError, isList, isMap, member, type Value } from './expression-value.ts';

/** What an expression may name: by place, the service offers different values and status functions. */
export interface ExpressionScope {
  /** By name; names have no case. */
  readonly values: Readonly<Record<string, Value>>;
  /** Beside the general functions, by lower-case name. */
  readonly functions?: Readonly<Record<string, ExpressionFunction>>;
}

/** @throws ExpressionError for unknown names and functions, and for values that do not fit */
export function evaluate(source: string, scope: ExpressionScope): Value {
  return valueFor(parseExpression(source), scope);
}

function valueFor(expression: Expression, scope: ExpressionScope): Value {
  switch (expression.kind) {
    case 'literal':
      return expression.value;
    case 'name':
      return named(expression.name, scope);
    case 'member':
      return memberOf(expression.target, valueFor(expression.target, scope), valueFor(expression.key, scope));
    case 'each':
      return new Filtered(...children(valueFor(expression.target, scope)));
    case 'call':
      return call(expression.name, expression.args, scope);
  }
}

/** The result of `.*`: a member access on it applies to each item. */
class Filtered extends Array<Value> {}

function memberOf(expression: Expression, target: Value, key: Value): Value {
  if (!(target instanceof Filtered) || expression.kind === 'literal') return member(target, key);
  const found = target.map((item) => member(item, key)).filter((item) => item !== null);
  return Filtered.from(found);
}

function children(value: Value): readonly Value[] {
  if (isList(value)) return value;
  return isMap(value) ? Object.values(value) : [];
}

function named(name: string, scope: ExpressionScope): Value {
  const [, value] = Object.entries(scope.values).find(([known]) => known.toLowerCase() === name.toLowerCase()) ?? [];
  if (value !== undefined) return value;
  throw new ExpressionError(`'${name}' is not known here; known: ${Object.keys(scope.values).sort().join(', ')}`);
}

function call(name: string, args: readonly Expression[], scope: ExpressionScope): Value {
  const wanted = scope.functions?.[name.toLowerCase()] ?? FUNCTIONS[name.toLowerCase()];
  if (!wanted)
    throw new ExpressionError(`the function '${name}' is not supported here; supported: ${supported(scope)}`);
  if (args.length < wanted.min || args.length > wanted.max)
    throw new ExpressionError(`'${name}' does not take ${args.length} arguments`);
  return wanted.call(args.map((arg) => () => valueFor(arg, scope)));
}

function supported(scope: ExpressionScope): string {
  return [...Object.keys(FUNCTIONS), ...Object.keys(scope.functions ?? {})].sort().join(', ');
}
