import { createHash } from 'node:crypto';
import { PlumblineError } from '#core/errors.ts';
import type { JsonValue } from '#core/json.ts';
import { neutralise } from '#core/neutralise.ts';
import { canonicalJson, type Encodable } from '../audit/canonical-json.ts';
import type { PipelineRunRequest } from './pipeline-run.ts';

const LONGEST_VALUE = 16_384;
const LARGEST_VALUES = 65_536;
const LONGEST_REF = 255;

/**
 * The full name of a ref: a name that does not begin with `refs/` is a branch. As `git check-ref-format` has it.
 *
 * @throws {PlumblineError} `ERR_INPUT_INVALID`
 */
export function fullRef(ref: string): string {
  const full = ref.startsWith('refs/') ? ref : `refs/heads/${ref}`;
  if (full.length <= LONGEST_REF && !NOT_IN_REF.test(full) && /^refs\/(?:heads|tags|pull)\/./.test(full)) return full;
  throw invalid('ref', 'is no name of a branch, and no full ref below refs/heads, refs/tags or refs/pull');
}

/** https://git-scm.com/docs/git-check-ref-format, and what no reader of a log should meet. */
const NOT_IN_REF = /[\s\p{C}~^:?*[\\]|\.\.|@\{|\/\/|\/\.|\.lock(?:\/|$)|[/.]$|##|\$[({[]/u;

/**
 * Template parameters as the REST API takes them: text; numbers and truth values as text, lists and objects as JSON text.
 *
 * @throws {PlumblineError} `ERR_INPUT_INVALID` for what is too long, null, or means more than text to a pipeline: the value
 *   would be expanded where the pipeline uses it, with what only the pipeline may know.
 */
export function parameterTexts(parameters: Readonly<Record<string, JsonValue>>): Readonly<Record<string, string>> {
  const texts = Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, textOf(name, value)]));
  if (JSON.stringify(texts).length > LARGEST_VALUES)
    throw invalid('templateParameters', `have more than ${LARGEST_VALUES} characters together`);
  return texts;
}

function textOf(name: string, value: JsonValue): string {
  const field = `templateParameters.${name}`;
  if (value === null) throw invalid(field, 'is null: leave it out');
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  if (text.length > LONGEST_VALUE) throw invalid(field, `has more than ${LONGEST_VALUE} characters`);
  if (CONTROL.test(text)) throw invalid(field, 'has control characters');
  if ([text, withoutEscapes(text)].some(isSyntax))
    throw invalid(field, 'has syntax of Azure Pipelines: a macro, an expression or a logging command');
  return text;
}

const CONTROL = /[^\P{Cc}\n\r\t]/u;
const SYNTAX = /\$\p{Cf}*[([]|\$\p{Cf}*\{\p{Cf}*\{/u;

function isSyntax(text: string): boolean {
  return SYNTAX.test(text) || neutralise(text) !== text;
}

/** Azure Pipelines reads the text of an object as YAML 1.2, in which these stand for other characters (§5.7). */
const ESCAPE = /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|\r?\n[ \t]*|[0abtnvfreNLP])/g;

function withoutEscapes(text: string): string {
  return text.replace(ESCAPE, (written, x?: string, u?: string, long?: string) => {
    const code = x ?? u ?? long;
    if (code !== undefined)
      return Number.parseInt(code, 16) <= 0x10ffff ? String.fromCodePoint(Number.parseInt(code, 16)) : '';
    // A line that goes on, or a control character.
    return /\s/.test(written) ? '' : '\u0007';
  });
}

/** SHA-256 of what is queued, hexadecimal. A task that is tried again has another lineage, and asks for the same run. */
export function pipelineFingerprint(request: PipelineRunRequest): string {
  const { organization, project, pipeline, ref, templateParameters } = request;
  const queued = { organization, project: project.toLowerCase(), pipeline, ref, templateParameters };
  return createHash('sha256')
    .update(canonicalJson(queued as unknown as Encodable))
    .digest('hex');
}

export function invalid(field: string, why: string): PlumblineError {
  return new PlumblineError('ERR_INPUT_INVALID', `The request is not valid: ${field} ${why}`, { details: { field } });
}
