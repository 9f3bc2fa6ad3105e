import type { HttpResponse } from '#http/http-response.ts';
import { Fields } from '../answer-fields.ts';
import type { LogPiece } from './airflow-api.ts';

/** Lines of one piece that are kept; the last ones are. */
const MOST_LINES = 100_000;
const LONGEST_LINE = 16_000;
const MOST_FRAMES = 100;

/**
 * A piece of a task's log, in any of the forms in which Airflow gives it: text, JSON with a text (Airflow 2; a Python literal
 * of pairs of host and text), JSON with a list of events or of lines (Airflow 3), a line of JSON for each event.
 * @throws {AnswerError} when it is none of them
 */
export function readLog(response: HttpResponse): LogPiece {
  const type = response.header('content-type')?.split(';')[0]?.trim().toLowerCase();
  if (type === 'text/plain') return piece(response.text().split('\n'), undefined);
  if (type === 'application/x-ndjson')
    return piece(ndjsonLines(response.text()), response.header('airflow-continuation-token'));
  const fields = new Fields(parsed(response), 'log');
  const content = fields.value('content');
  const lines = typeof content === 'string' ? textLines(content) : fields.list('content').flatMap(eventLines);
  return piece(lines, openToken(fields.maybeName('continuation_token')));
}

function parsed(response: HttpResponse): unknown {
  return response.json();
}

function piece(lines: readonly string[], next: string | undefined): LogPiece {
  const kept = lines.slice(-MOST_LINES).map((line) => line.slice(0, LONGEST_LINE).replace(/\r$/, ''));
  while (kept.at(-1) === '') kept.pop();
  return { lines: kept, next };
}

function ndjsonLines(text: string): readonly string[] {
  return text.split('\n').flatMap((line) => {
    if (line.trim() === '') return [];
    try {
      return eventLines(JSON.parse(line));
    } catch {
      // Cut in the middle, or never JSON: what there is of it is shown.
      return [line];
    }
  });
}

/** An event of Airflow 3, a line, or a pair of host and text. */
function eventLines(item: unknown): readonly string[] {
  if (typeof item === 'string') return item.split('\n');
  if (Array.isArray(item)) return item.flatMap((part) => (typeof part === 'string' ? part.split('\n') : []));
  if (typeof item !== 'object' || item === null) return [];
  const { timestamp, level, event, error_detail: detail } = item as Record<string, unknown>;
  const when = typeof timestamp === 'string' ? `[${timestamp}] ` : '';
  const how = typeof level === 'string' ? `${level.toUpperCase()} - ` : '';
  return [...`${when}${how}${typeof event === 'string' ? event : ''}`.split('\n'), ...chainLines(detail)];
}

const MOST_CAUSES = 10;

/** As Python prints an exception: what it came from first. Airflow has the last one raised first, and says of each whether it is a cause. */
function chainLines(detail: unknown): readonly string[] {
  if (!Array.isArray(detail)) return [];
  const failures = detail.slice(0, MOST_CAUSES).filter((one) => typeof one === 'object' && one !== null);
  return failures.toReversed().flatMap((failure: Record<string, unknown>, index) => {
    const isLast = index === failures.length - 1;
    return isLast ? failureLines(failure) : [...failureLines(failure), '', linkOf(failure), ''];
  });
}

function linkOf({ is_cause: isCause }: Record<string, unknown>): string {
  return isCause === true
    ? 'The above exception was the direct cause of the following exception:'
    : 'During handling of the above exception, another exception occurred:';
}

function failureLines({ exc_type: type, exc_value: value, frames }: Record<string, unknown>): readonly string[] {
  const calls = Array.isArray(frames) ? frames.slice(-MOST_FRAMES).flatMap(frameLine) : [];
  const end = [type, value].filter((part) => typeof part === 'string' && part !== '').join(': ');
  return [...(calls.length > 0 ? ['Traceback (most recent call last):', ...calls] : []), ...end.split('\n')];
}

function frameLine(frame: unknown): readonly string[] {
  if (typeof frame !== 'object' || frame === null) return [];
  const { filename, lineno, name } = frame as Record<string, unknown>;
  return [`  File "${String(filename)}", line ${String(lineno)}, in ${String(name)}`];
}

function textLines(content: string): readonly string[] {
  const texts = pythonTexts(content);
  return (texts ?? [content]).flatMap((text) => text.split('\n'));
}

/**
 * The texts of `[('host', 'text'), …]`, which is what Airflow 2 puts into its JSON; `undefined` when it is something else. No
 * regular expression: one that tells literals apart runs out of stack within a log of 16 MB.
 */
function pythonTexts(content: string): readonly string[] | undefined {
  if (!content.startsWith("[('") && !content.startsWith('[("')) return undefined;
  const literals: string[] = [];
  for (let at = 2; at < content.length; ) {
    const end = literalEnd(content, at);
    if (end === -1) break;
    literals.push(content.slice(at + 1, end));
    BETWEEN.lastIndex = end + 1;
    at = end + 1 + (BETWEEN.exec(content)?.[0].length ?? 0);
  }
  const texts = literals.filter((_, index) => index % 2 === 1).map(unescaped);
  return texts.length > 0 ? texts : undefined;
}

/** What stands between two literals; short, whatever the content is. */
const BETWEEN = /[\s,()]{0,100}/y;

/** The index of the quote that ends the literal that begins here; -1 when none does. */
function literalEnd(content: string, start: number): number {
  const quote = content[start];
  if (quote !== "'" && quote !== '"') return -1;
  for (let at = start + 1; at < content.length; at += 1) {
    if (content[at] === '\\') at += 1;
    else if (content[at] === quote) return at;
  }
  return -1;
}

const ESCAPE = /\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|(.))/gs;
const SIMPLE: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };

function unescaped(text: string): string {
  return text.replace(ESCAPE, (whole, x?: string, u?: string, long?: string, simple?: string) => {
    const code = Number.parseInt(x ?? u ?? long ?? '', 16);
    if (!Number.isNaN(code)) return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
    return SIMPLE[simple ?? ''] ?? simple ?? whole;
  });
}

/** Airflow 2 gives a token with every piece; it is signed, not hidden, and says whether the log is at its end. */
function openToken(token: string | undefined): string | undefined {
  if (token === undefined) return undefined;
  const payload = Buffer.from(token.split('.')[0] ?? '', 'base64url').toString('utf8');
  return /"end_of_log":\s*true/.test(payload) ? undefined : token;
}
