import { type Document, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, visit } from 'yaml';
import type { JsonValue } from '#core/json.ts';

/** One thing that is wrong in a file that a person wrote. Lines and columns count from 1. Never a value. */
export interface FileProblem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Dotted, e.g. `listen.port`, `bindings[2].match`; empty for the document itself. */
  readonly field: string;
  readonly message: string;
}

export type FieldPath = readonly (string | number)[];

/** Of maps and lists in each other; a map in a map is two steps of a path. */
const MAX_DEPTH = 32;
/** The parser may stumble over each character that follows. */
const MAX_SYNTAX_PROBLEMS = 20;

/**
 * A strict YAML 1.2 document as JSON, which knows where each of its fields stands. One document; keys are text and
 * unique; no tags, no aliases, no merge keys, nothing that JSON cannot express: what stands there is what holds.
 */
export class YamlSource {
  readonly file: string;
  /** `undefined` when the text is no document; then `problems` says why. */
  readonly value: JsonValue | undefined;
  /** Of the text itself; a schema's are added by {@link problemAt}. */
  readonly problems: readonly FileProblem[];
  readonly #document: Document;
  readonly #lines = new LineCounter();

  constructor(file: string, text: string) {
    this.file = file;
    this.#document = parsed(text, this.#lines);
    const syntax = this.#syntaxProblems();
    this.problems = syntax.length > 0 ? syntax : this.#unusable();
    this.value = this.problems.length === 0 ? ((this.#document.toJS() ?? null) as JsonValue) : undefined;
  }

  /** A problem at a field; one that is not there is reported at the nearest field around it. */
  problemAt(path: FieldPath, message: string, at: 'key' | 'value' = 'value'): FileProblem {
    return { ...this.#position(this.#offset(path, at)), field: fieldName(path), message };
  }

  #syntaxProblems(): FileProblem[] {
    const { errors, warnings } = this.#document;
    const tooDeep = errors.filter(({ code }) => code === 'RESOURCE_EXHAUSTION').slice(0, 1);
    const found = tooDeep.length > 0 ? tooDeep : [...errors, ...warnings].slice(0, MAX_SYNTAX_PROBLEMS);
    return found.map(({ code, pos }) => ({
      ...this.#position(pos[0]),
      field: '',
      message: SYNTAX[code] ?? code.toLowerCase().replaceAll('_', ' '),
    }));
  }

  /** What YAML allows and we do not. */
  #unusable(): FileProblem[] {
    const problems: FileProblem[] = [];
    const complain = (offset: number | undefined, message: string) =>
      problems.push({ ...this.#position(offset ?? 0), field: '', message });
    const decorated = ({ tag, anchor, range }: Pick<Node, 'tag' | 'range'> & { anchor?: string | undefined }) => {
      if (tag !== undefined) complain(range?.[0], 'tags are not allowed');
      if (anchor !== undefined) complain(range?.[0], 'anchors and aliases are not allowed');
    };
    visit(this.#document, {
      Alias: (_, { range }) => complain(range?.[0], 'anchors and aliases are not allowed'),
      Pair: (_, { key, value }) => {
        const why = keyProblem(key);
        if (why !== undefined) complain(startOf(key) ?? startOf(value), why);
      },
      Collection: (_, node, path) => {
        decorated(node);
        for (const again of repeatedKeys(node)) complain(startOf(again), 'a key is given twice');
        if (path.length <= 2 * MAX_DEPTH) return undefined;
        complain(node.range?.[0], 'it is nested too deep');
        return visit.BREAK;
      },
      Scalar: (_, node) => {
        decorated(node);
        if (!isJsonScalar(node.value)) complain(node.range?.[0], 'a value that JSON cannot express');
        // `1.10` is read as 1.1 and `007` as 7: whoever compares ids as texts would never know.
        else if (typeof node.value === 'number' && node.source !== String(node.value))
          complain(node.range?.[0], 'a number that is read otherwise than it is written: put it in quotes');
      },
    });
    return problems.slice(0, MAX_SYNTAX_PROBLEMS);
  }

  #offset(path: FieldPath, at: 'key' | 'value'): number {
    let node: unknown = this.#document.contents;
    let offset = startOf(node) ?? 0;
    for (const [depth, step] of path.entries()) {
      const isLast = depth === path.length - 1;
      const next = child(node, step);
      offset = (isLast && at === 'key' ? next.key : (startOf(next.node) ?? next.key)) ?? offset;
      node = next.node;
    }
    return offset;
  }

  #position(offset: number): Pick<FileProblem, 'file' | 'line' | 'column'> {
    const { line, col } = this.#lines.linePos(offset);
    return { file: this.file, line: Math.max(1, line), column: Math.max(1, col) };
  }
}

/** `['bindings', 2, 'match']` → `bindings[2].match`. */
export function fieldName(path: FieldPath): string {
  return path.reduce<string>(
    (name, step) => (typeof step === 'number' ? `${name}[${step}]` : name === '' ? step : `${name}.${step}`),
    '',
  );
}

/** `gateway.yaml:3:5: listen.port: must be an integer`, one line each. */
export function formatProblems(problems: readonly FileProblem[]): string {
  return problems
    .map(({ file, line, column, field, message }) => `${file}:${line}:${column}: ${field && `${field}: `}${message}`)
    .join('\n');
}

interface Found {
  readonly node: unknown;
  readonly key?: number | undefined;
}

function child(node: unknown, step: string | number): Found {
  if (isSeq(node) && typeof step === 'number') return { node: node.items[step], key: startOf(node.items[step]) };
  if (!isMap(node)) return { node: undefined };
  const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step));
  return { node: pair?.value, key: startOf(pair?.key) };
}

function startOf(node: unknown): number | undefined {
  return (node as Node | null | undefined)?.range?.[0];
}

function parsed(text: string, lineCounter: LineCounter): Document {
  const options = { lineCounter, prettyErrors: false, merge: false, uniqueKeys: false, strict: true } as const;
  try {
    return parseDocument(text, { ...options, version: '1.2', schema: 'core' });
  } catch (error) {
    // The parser recurses: a text of nothing but brackets ends its stack.
    if (!(error instanceof RangeError)) throw error;
    return parseDocument('{]', options);
  }
}

/** The parser compares each key with each other one, which takes minutes for a large map. */
function repeatedKeys(node: unknown): readonly unknown[] {
  if (!isMap(node)) return [];
  const seen = new Set<string>();
  return node.items.flatMap(({ key }) => {
    const name = isScalar(key) ? String(key.value) : undefined;
    if (name === undefined || !seen.has(name)) {
      if (name !== undefined) seen.add(name);
      return [];
    }
    return [key];
  });
}

function keyProblem(key: unknown): string | undefined {
  if (!isScalar(key) || key.value === null || typeof key.value === 'object') return 'a key is not plain text';
  return String(key.value) === '__proto__' ? "the key '__proto__' is not allowed" : undefined;
}

function isJsonScalar(value: unknown): boolean {
  if (typeof value !== 'number') return value === null || typeof value === 'string' || typeof value === 'boolean';
  return Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value));
}

/** The parser's own messages may quote the text. */
const SYNTAX: Readonly<Record<string, string>> = {
  MULTIPLE_DOCS: 'there is more than one document',
  TAG_RESOLVE_FAILED: 'tags are not allowed',
  RESOURCE_EXHAUSTION: 'it is nested too deep',
  BAD_INDENT: 'the indentation is wrong',
  MISSING_CHAR: 'a character is missing that closes what was opened',
  UNEXPECTED_TOKEN: 'it is no YAML here',
};
