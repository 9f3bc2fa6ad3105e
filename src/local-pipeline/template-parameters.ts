import type { Value } from './expression-value.ts';
import { equal } from './expression-value.ts';
import { MappingReader } from './mapping-reader.ts';
import type { Position, Problem } from './position.ts';
import { nodeToValue } from './template-scope.ts';
import { parseYaml, type YamlNode } from './yaml-node.ts';

const LISTS = ['stepList', 'jobList', 'deploymentList', 'stageList'] as const;
const MAPS = ['step', 'job', 'deployment', 'stage'] as const;
const TYPES = ['string', 'number', 'boolean', 'object', ...MAPS, ...LISTS] as const;
type ParameterType = (typeof TYPES)[number];

interface Parameter {
  readonly name: string;
  /** Undefined: of the old form, any value. */
  readonly type: ParameterType | undefined;
  readonly fallback: YamlNode | undefined;
  readonly values: readonly Value[];
}

/** Given arguments: nodes from a template reference, or text from the command line. */
export type Arguments = ReadonlyMap<string, { readonly node: YamlNode; readonly at: Position }>;

/** The values of a template's parameters: given, else default; each of its type and among its `values`. */
export function bindParameters(
  declared: YamlNode | undefined,
  given: Arguments,
  at: Position,
  problems: Problem[],
): Record<string, Value> {
  const parameters = readDeclarations(declared, problems);
  for (const [name, argument] of given) {
    if (!parameters.some((parameter) => parameter.name.toLowerCase() === name.toLowerCase())) {
      problems.push({
        at: argument.at,
        message: `There is no parameter '${name}'; known: ${parameters.map((parameter) => parameter.name).join(', ') || 'none'}.`,
      });
    }
  }
  return Object.fromEntries(parameters.map((parameter) => [parameter.name, bind(parameter, given, at, problems)]));
}

function bind(parameter: Parameter, given: Arguments, at: Position, problems: Problem[]): Value {
  const [, argument] = [...given].find(([name]) => name.toLowerCase() === parameter.name.toLowerCase()) ?? [];
  const node = argument?.node ?? parameter.fallback;
  if (!node) {
    problems.push({ at, message: `The parameter '${parameter.name}' has no value and no default.` });
    return null;
  }
  const value = convert(parameter, node, problems);
  if (parameter.values.length > 0 && !parameter.values.some((allowed) => equal(allowed, value))) {
    problems.push({
      at: node.at,
      message: `The parameter '${parameter.name}' may be ${parameter.values.join(', ')}, not '${String(value)}'.`,
    });
  }
  return value;
}

/** Arguments on the command line: YAML for lists and maps, text for the rest. */
export function commandLineArguments(
  parameters: Readonly<Record<string, string>>,
  declared: YamlNode | undefined,
  at: Position,
): Arguments {
  const types = new Map(readDeclarations(declared, []).map(({ name, type }) => [name.toLowerCase(), type]));
  const simple: readonly (ParameterType | undefined)[] = ['string', 'number', 'boolean'];
  return new Map(
    Object.entries(parameters).map(([name, text]) => {
      const node: YamlNode = simple.includes(types.get(name.toLowerCase()))
        ? { kind: 'scalar', text, at }
        : parseYaml(text, `--param ${name}`);
      return [name, { node, at }];
    }),
  );
}

function convert({ name, type }: Parameter, node: YamlNode, problems: Problem[]): Value {
  const fits = type === undefined || type === 'object' || fitsType(type, node);
  if (!fits) problems.push({ at: node.at, message: `The parameter '${name}' must be of type ${type}.` });
  const value = nodeToValue(node);
  if (typeof value !== 'string') return value;
  if (type === 'number') return Number(value);
  return type === 'boolean' ? value.toLowerCase() === 'true' : value;
}

function fitsType(type: Exclude<ParameterType, 'object'>, node: YamlNode): boolean {
  if (LISTS.some((list) => list === type)) return node.kind === 'sequence';
  if (MAPS.some((map) => map === type)) return node.kind === 'mapping';
  if (node.kind !== 'scalar') return false;
  if (type === 'number') return node.text.trim() !== '' && !Number.isNaN(Number(node.text));
  return type === 'boolean' ? /^(?:true|false)$/i.test(node.text) : true;
}

function readDeclarations(node: YamlNode | undefined, problems: Problem[]): Parameter[] {
  if (!node || (node.kind === 'scalar' && node.text === '')) return [];
  if (node.kind === 'mapping') {
    return node.entries.map(({ key, value }) => ({ name: key.text, type: undefined, fallback: value, values: [] }));
  }
  if (node.kind === 'sequence') return node.items.map((item) => readDeclaration(item, problems));
  problems.push({ at: node.at, message: "'parameters' must be a list or a map." });
  return [];
}

function readDeclaration(node: YamlNode, problems: Problem[]): Parameter {
  const reader = new MappingReader(node, 'a parameter', problems);
  const type = reader.located('type');
  const known = TYPES.find((candidate) => candidate === (type?.text ?? 'string'));
  if (!known && type)
    problems.push({
      at: type.at,
      message: `The type '${type.text}' is not supported; supported: ${TYPES.join(', ')}.`,
    });
  const name = reader.text('name');
  if (name === undefined) problems.push({ at: node.at, message: "A parameter needs a 'name'." });
  reader.take('displayName');
  const parameter = {
    name: name ?? '',
    type: known ?? 'object',
    fallback: reader.take('default'),
    values: reader.items('values').map(nodeToValue),
  };
  reader.close();
  return parameter;
}
