import { toText, type Value } from './expression-value.ts';
import type { Problem } from './position.ts';
import { evaluateAt, type TemplateScope } from './template-scope.ts';
import type { YamlScalar } from './yaml-node.ts';

/** What a scalar says once its `${{ }}` are evaluated: a value of any kind when it is one expression, else text. */
export function expandScalar({ text, at }: YamlScalar, scope: TemplateScope, problems: Problem[]): Value {
  const parts = splitExpressions(text);
  if (parts === undefined) {
    problems.push({ at, message: `The expression in '${text}' has no closing '}}'.` });
    return text;
  }
  const [only] = parts;
  if (parts.length === 1 && only?.expression) return evaluateAt(only.text, at, scope, problems);
  return parts.map((part) => (part.expression ? textAt(part.text, at, scope, problems) : part.text)).join('');
}

function textAt(source: string, at: YamlScalar['at'], scope: TemplateScope, problems: Problem[]): string {
  const value = evaluateAt(source, at, scope, problems);
  try {
    return toText(value);
  } catch (error) {
    problems.push({
      at,
      message: `The expression '${source.trim()}' cannot stand inside text: ${(error as Error).message}.`,
    });
    return '';
  }
}

interface TextPart {
  readonly text: string;
  readonly expression: boolean;
}

const EXPRESSION = /\$\{\{((?:'(?:[^']|'')*'|[^'}]|\}(?!\}))*)\}\}/g;

/** Literal and expression parts; `undefined` when an expression is not closed. */
function splitExpressions(text: string): TextPart[] | undefined {
  const parts: TextPart[] = [];
  let from = 0;
  for (const match of text.matchAll(EXPRESSION)) {
    if (match.index > from) parts.push({ text: text.slice(from, match.index), expression: false });
    parts.push({ text: match[1] ?? '', expression: true });
    from = match.index + match[0].length;
  }
  if (from < text.length) parts.push({ text: text.slice(from), expression: false });
  return parts.some((part) => !part.expression && part.text.includes('${{')) ? undefined : parts;
}

/** `${{ if … }}` and relatives, as a key. */
export interface Directive {
  readonly kind: 'if' | 'elseif' | 'else' | 'each' | 'insert';
  readonly source: string;
}

/** The directive that a key is; `undefined` for every other key. */
export function directiveOf(key: string): Directive | undefined {
  const [, inner = ''] = /^\s*\$\{\{(.*)\}\}\s*$/s.exec(key) ?? [];
  const [, kind, source = ''] = /^\s*(if|elseif|else|each|insert)\b(.*)$/s.exec(inner) ?? [];
  // `insert(…)` and the like would be calls.
  return kind === undefined ? undefined : { kind: kind as Directive['kind'], source: source.trim() };
}
