import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument } from 'yaml';
import { PipelineFileError, type Position, type Problem } from './position.ts';

/** YAML as Azure Pipelines sees it: every scalar is text, every node knows its place. */
export type YamlNode = YamlScalar | YamlSequence | YamlMapping;

export interface YamlScalar {
  readonly kind: 'scalar';
  readonly text: string;
  readonly at: Position;
}

export interface YamlSequence {
  readonly kind: 'sequence';
  readonly items: readonly YamlNode[];
  readonly at: Position;
}

export interface YamlEntry {
  readonly key: YamlScalar;
  readonly value: YamlNode;
}

export interface YamlMapping {
  readonly kind: 'mapping';
  readonly entries: readonly YamlEntry[];
  readonly at: Position;
}

export function scalar(text: string, at: Position): YamlScalar {
  return { kind: 'scalar', text, at };
}

/** The value of a key; keys of a pipeline file are case-sensitive. */
export function entry(node: YamlMapping, name: string): YamlNode | undefined {
  return node.entries.find(({ key }) => key.text === name)?.value;
}

/**
 * Parses one document. Anchors, aliases, tags and merge keys do not exist in Azure Pipelines and are refused, as are
 * duplicate keys (template expressions may repeat).
 *
 * @throws PipelineFileError with line and column of each problem
 */
export function parseYaml(text: string, file: string): YamlNode {
  const lines = new LineCounter();
  const document: Document = parseDocument(text, {
    lineCounter: lines,
    schema: 'failsafe',
    uniqueKeys: false,
    merge: false,
  });
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const broken = document.errors.map(({ pos, message }) => ({ at: at(pos[0]), message: firstLine(message) }));
  if (broken.length > 0) throw new PipelineFileError(broken);
  const problems: Problem[] = [];
  const node = convert(document.contents, at, problems);
  if (problems.length > 0) throw new PipelineFileError(problems);
  return node;
}

function convert(node: unknown, at: (offset: number) => Position, problems: Problem[]): YamlNode {
  const place = at((node as Node | null)?.range?.[0] ?? 0);
  if (isAlias(node))
    problems.push({ at: place, message: `The alias '*${node.source}' is not supported by Azure Pipelines.` });
  else checkProperties(node as Node | null, place, problems);
  if (isMap(node)) return { kind: 'mapping', entries: entries(node.items, at, problems), at: place };
  if (isSeq(node)) return { kind: 'sequence', items: node.items.map((item) => convert(item, at, problems)), at: place };
  return scalar(isScalar(node) ? String(node.value ?? '') : '', place);
}

function checkProperties(node: Node | null, at: Position, problems: Problem[]): void {
  const { anchor, tag } = (node ?? {}) as { anchor?: string; tag?: string };
  if (anchor) problems.push({ at, message: `The anchor '&${anchor}' is not supported by Azure Pipelines.` });
  if (tag && !tag.startsWith('tag:yaml.org,2002:'))
    problems.push({ at, message: `The tag '${tag}' is not supported by Azure Pipelines.` });
}

function entries(pairs: readonly Pair[], at: (offset: number) => Position, problems: Problem[]): YamlEntry[] {
  const seen = new Set<string>();
  return pairs.map((pair) => {
    const key = convert(pair.key, at, problems);
    if (key.kind !== 'scalar') {
      problems.push({ at: key.at, message: 'A key must be text.' });
      return { key: scalar('', key.at), value: key };
    }
    checkKey(key, seen, problems);
    return { key, value: pair.value === null ? scalar('', key.at) : convert(pair.value, at, problems) };
  });
}

function checkKey(key: YamlScalar, seen: Set<string>, problems: Problem[]): void {
  if (key.text === '<<')
    problems.push({ at: key.at, message: "The merge key '<<' is not supported by Azure Pipelines." });
  if (seen.has(key.text) && !key.text.startsWith('${{'))
    problems.push({ at: key.at, message: `'${key.text}' is already defined.` });
  seen.add(key.text);
}

function firstLine(message: string): string {
  return (message.split('\n')[0] ?? message).replace(/ at line \d+, column \d+:?$/, '');
}
