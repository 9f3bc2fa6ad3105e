import { ExpressionError, type Value } from './expression-value.ts';

/** The syntax tree of an expression: literals, names, calls and member access; there are no operators. */
export type Expression =
  | { readonly kind: 'literal'; readonly value: Value }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly Expression[] }
  | { readonly kind: 'member'; readonly target: Expression; readonly key: Expression }
  | { readonly kind: 'each'; readonly target: Expression };

const TOKEN =
  /\s*(?:(?<text>'(?:[^']|'')*')|(?<number>[-+]?(?:0x[0-9a-fA-F]+|\d+(?:\.\d+)*|\.\d+))|(?<name>[A-Za-z_][A-Za-z0-9_]*)|(?<sign>[()[\],.*]))/y;

interface Token {
  readonly kind: 'text' | 'number' | 'name' | 'sign';
  readonly text: string;
  readonly offset: number;
}

/** @throws ExpressionError naming the offending text */
export function parseExpression(source: string): Expression {
  const reader = new TokenReader(tokens(source), source);
  const expression = readExpression(reader);
  reader.end();
  return expression;
}

function tokens(source: string): Token[] {
  const found: Token[] = [];
  let offset = 0;
  while (source.slice(offset).trim() !== '') {
    TOKEN.lastIndex = offset;
    const match = TOKEN.exec(source);
    const [kind, text] = Object.entries(match?.groups ?? {}).find(([, value]) => value !== undefined) ?? [];
    if (kind === undefined || text === undefined)
      throw new ExpressionError(`unexpected '${source.slice(offset).trim()}'`);
    found.push({ kind: kind as Token['kind'], text, offset });
    offset = TOKEN.lastIndex;
  }
  return found;
}

class TokenReader {
  #next = 0;
  readonly #tokens: readonly Token[];
  readonly #source: string;

  constructor(list: readonly Token[], source: string) {
    this.#tokens = list;
    this.#source = source;
  }

  take(): Token {
    const token = this.#tokens[this.#next];
    if (!token) throw new ExpressionError(`'${this.#source.trim()}' ends too early`);
    this.#next += 1;
    return token;
  }

  /** Takes the sign when it is next. */
  takeSign(sign: string): boolean {
    const token = this.#tokens[this.#next];
    const found = token?.kind === 'sign' && token.text === sign;
    if (found) this.#next += 1;
    return found;
  }

  expect(sign: string): void {
    const token = this.take();
    if (token.kind !== 'sign' || token.text !== sign)
      throw new ExpressionError(`expected '${sign}' before '${token.text}'`);
  }

  end(): void {
    const token = this.#tokens[this.#next];
    if (token) throw new ExpressionError(`unexpected '${token.text}'`);
  }
}

function readExpression(reader: TokenReader): Expression {
  let expression = readPrimary(reader);
  for (;;) {
    if (reader.takeSign('.')) expression = readProperty(expression, reader);
    else if (reader.takeSign('[')) {
      expression = reader.takeSign('*')
        ? { kind: 'each', target: expression }
        : { kind: 'member', target: expression, key: readExpression(reader) };
      reader.expect(']');
    } else return expression;
  }
}

function readProperty(target: Expression, reader: TokenReader): Expression {
  if (reader.takeSign('*')) return { kind: 'each', target };
  const token = reader.take();
  if (token.kind !== 'name') throw new ExpressionError(`expected a name before '${token.text}'`);
  return { kind: 'member', target, key: { kind: 'literal', value: token.text } };
}

function readPrimary(reader: TokenReader): Expression {
  const token = reader.take();
  switch (token.kind) {
    case 'text':
      return { kind: 'literal', value: token.text.slice(1, -1).replaceAll("''", "'") };
    case 'number':
      return { kind: 'literal', value: Number.isNaN(Number(token.text)) ? token.text : Number(token.text) };
    case 'name':
      return readName(token.text, reader);
    default:
      throw new ExpressionError(`unexpected '${token.text}'`);
  }
}

const KEYWORDS: Readonly<Record<string, Value>> = { true: true, false: false, null: null };

function readName(name: string, reader: TokenReader): Expression {
  if (reader.takeSign('(')) return { kind: 'call', name, args: readArguments(reader) };
  const keyword = KEYWORDS[name.toLowerCase()];
  return keyword === undefined ? { kind: 'name', name } : { kind: 'literal', value: keyword };
}

function readArguments(reader: TokenReader): Expression[] {
  const args: Expression[] = [];
  if (reader.takeSign(')')) return args;
  do args.push(readExpression(reader));
  while (reader.takeSign(','));
  reader.expect(')');
  return args;
}
