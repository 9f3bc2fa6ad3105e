import { createHash } from 'node:crypto';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { PlumblineError } from '#core/errors.ts';
import { neutralise } from '#core/neutralise.ts';
import { oneLine } from '#core/task-name.ts';
import { type FieldPath, type FileProblem, formatProblems, YamlSource } from '../config/yaml-source.ts';
import { checkDocument } from './check-document.ts';
import { compilePolicy } from './compile-policy.ts';
import schema from './gateway-policy.schema.json' with { type: 'json' };
import type { LoadedPolicy } from './loaded-policy.ts';
import type { PolicyDocument } from './policy-document.ts';
import { type Place, schemaProblems } from './schema-problems.ts';

/** Larger is no policy that a person has read. */
export const MAX_POLICY_BYTES = 1_048_576;
/** From here on the parser would take seconds for some texts that were never meant to be a policy. */
const LARGE_BYTES = 65_536;
/** Of one list or map: no part of a policy has more, and whoever tells everything that is wrong would tell for minutes. */
const MAX_ENTRIES = 1_000;
/** The parser takes long for what is only brackets. */
const MAX_BRACKETS = 500;
const MAX_PROBLEMS = 100;
const MAX_FIELD = 200;

export type ParsedPolicy =
  | { readonly policy: LoadedPolicy; readonly problems?: undefined }
  | { readonly policy?: undefined; readonly problems: readonly FileProblem[] };

const validate = new Ajv2020({
  allErrors: true,
  verbose: true,
  strict: true,
  strictRequired: false,
  strictTypes: false,
  discriminator: true,
  ownProperties: true,
}).compile<PolicyDocument>(schema);

/**
 * A policy file, checked and compiled; or everything that is wrong with it, each with its file, line, column and field, in
 * the order of the lines. What is no YAML is told before what has the wrong shape, and that before what has no meaning. It
 * never throws, whatever the text.
 *
 * @param source the file's bytes, whose SHA-256 names the policy; a text stands for its UTF-8.
 * @param file how messages call it.
 */
export function parsePolicy(source: string | Uint8Array, file: string): ParsedPolicy {
  const bytes = Buffer.from(source);
  const text = decoded(bytes);
  if (text === undefined) return { problems: [wholeFile(file, 'is not UTF-8')] };
  if (bytes.length > MAX_POLICY_BYTES) return { problems: [wholeFile(file, 'is larger than 1 MiB')] };
  if (bytes.length > LARGE_BYTES && !text.includes('apiVersion'))
    return { problems: [wholeFile(file, 'is no policy')] };
  if (deepestBracket(text) > MAX_BRACKETS) return { problems: [wholeFile(file, 'is nested too deep')] };
  return parsed(new YamlSource(file, text), createHash('sha256').update(bytes).digest('hex'));
}

/** The error of a policy file that cannot be used. */
export function policyError(file: string, problems: readonly FileProblem[]): PlumblineError {
  const words = problems.length === 1 ? 'a problem' : `${problems.length} problems`;
  const message = `Cannot use the policy ${file}: it has ${words}\n${formatProblems(problems)}`;
  return new PlumblineError('ERR_POLICY_INVALID', message, {
    remedy: 'Correct each line and try it with `plumbline policy check`; docs/gateway/policy.md describes every field.',
    details: { problems },
  });
}

/** A problem of the file as a whole. */
export function wholeFile(file: string, message: string): FileProblem {
  return { file, line: 1, column: 1, field: '(file)', message };
}

function parsed(source: YamlSource, sha256: string): ParsedPolicy {
  if (source.problems.length > 0) return { problems: ordered(source.problems) };
  const place: Place = (path, message, at) => source.problemAt(path, message, at);
  const document: unknown = source.value;
  const [long] = longLists(document, []);
  if (long !== undefined) return { problems: ordered([place(long, `has more than ${MAX_ENTRIES} entries`)]) };
  if (!validate(document)) {
    const problems = schemaProblems(source, place, (validate.errors ?? []).slice(0, 4 * MAX_PROBLEMS));
    return {
      problems: problems.length > 0 ? ordered(problems) : [wholeFile(source.file, 'has not the shape of a policy')],
    };
  }
  const whole = withRoles(document);
  const problems = checkDocument(whole, place);
  if (problems.length > 0) return { problems: ordered(problems) };
  return { policy: compilePolicy(whole, sha256, source.file, place) };
}

/** Roles may be left out where a policy is about Airflow and pipelines alone. */
function withRoles(document: PolicyDocument): PolicyDocument {
  const { roles = {}, bindings } = document as Partial<PolicyDocument> & PolicyDocument;
  return { ...document, roles, bindings: bindings.map((binding) => ({ ...binding, roles: binding.roles ?? [] })) };
}

function longLists(value: unknown, path: FieldPath): FieldPath[] {
  if (typeof value !== 'object' || value === null) return [];
  const entries = Object.entries(value);
  if (entries.length > MAX_ENTRIES) return [path];
  const isList = Array.isArray(value);
  return entries.flatMap(([key, inner]) => longLists(inner, [...path, isList ? Number(key) : key]));
}

function deepestBracket(text: string): number {
  let [depth, deepest] = [0, 0];
  for (const character of text) {
    if (character === '[' || character === '{') depth += 1;
    else if ((character === ']' || character === '}') && depth > 0) depth -= 1;
    deepest = Math.max(deepest, depth);
  }
  return deepest;
}

function decoded(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function ordered(problems: readonly FileProblem[]): FileProblem[] {
  const sorted = problems.toSorted((a, b) => a.line - b.line || a.column - b.column);
  return sorted.slice(0, MAX_PROBLEMS).map((problem) => ({ ...problem, field: printable(problem.field) }));
}

/** Keys are whatever somebody wrote. */
function printable(field: string): string {
  return neutralise(oneLine(field.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' '), MAX_FIELD)) || '(document)';
}
