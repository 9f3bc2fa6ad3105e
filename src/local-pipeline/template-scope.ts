import { evaluate } from './expression-evaluate.ts';
import type { Value } from './expression-value.ts';
import type { Position, Problem } from './position.ts';
import { scalar, type YamlMapping, type YamlNode, type YamlSequence } from './yaml-node.ts';

/** What `${{ }}` may name at a place in a template. */
export interface TemplateScope {
  readonly parameters: Readonly<Record<string, Value>>;
  /** Known before the run: predefined ones and those of the YAML above this place. Grows while `variables:` is read. */
  readonly variables: Record<string, string>;
  /** Loop variables of `each`, by name. */
  readonly loop: Readonly<Record<string, Value>>;
}

/** Evaluates at a place; a problem counts as null. */
export function evaluateAt(source: string, at: Position, scope: TemplateScope, problems: Problem[]): Value {
  try {
    return evaluate(source, { values: { parameters: scope.parameters, variables: scope.variables, ...scope.loop } });
  } catch (error) {
    problems.push({ at, message: `The expression '${source.trim()}' is wrong: ${(error as Error).message}.` });
    return null;
  }
}

/** Where a list or map of an expression was written, so that what is inserted elsewhere keeps its place. */
const origins = new WeakMap<object, YamlNode>();

export function nodeToValue(node: YamlNode): Value {
  if (node.kind === 'scalar') return node.text;
  const value = node.kind === 'sequence' ? node.items.map(nodeToValue) : mapToValue(node);
  origins.set(value, node);
  return value;
}

function mapToValue({ entries }: YamlMapping): Record<string, Value> {
  return Object.fromEntries(entries.map(({ key, value }) => [key.text, nodeToValue(value)]));
}

export function valueToNode(value: Value, at: Position): YamlNode {
  if (typeof value === 'boolean') return scalar(value ? 'True' : 'False', at);
  if (typeof value !== 'object' || value === null) return scalar(value === null ? '' : String(value), at);
  return (
    origins.get(value) ??
    (Array.isArray(value) ? listToNode(value, at) : entriesToNode(value as Record<string, Value>, at))
  );
}

function listToNode(items: readonly Value[], at: Position): YamlSequence {
  return { kind: 'sequence', items: items.map((item) => valueToNode(item, at)), at };
}

function entriesToNode(map: Readonly<Record<string, Value>>, at: Position): YamlMapping {
  return {
    kind: 'mapping',
    entries: Object.entries(map).map(([name, value]) => ({ key: scalar(name, at), value: valueToNode(value, at) })),
    at,
  };
}
