import { createHash } from 'node:crypto';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { PlumblineError } from '#core/errors.ts';
import { neutralise } from '#core/neutralise.ts';
import { oneLine } from '#core/task-name.ts';
import { type FileProblem, formatProblems, YamlSource } from '../config/yaml-source.ts';
import { checkDocument } from './check-document.ts';
import { compilePolicy } from './compile-policy.ts';
import schema from './gateway-policy.schema.json' with { type: 'json' };
import type { LoadedPolicy } from './loaded-policy.ts';
import type { PolicyDocument } from './policy-document.ts';
import { type Place, schemaProblems } from './schema-problems.ts';

/** Larger is no policy that a person has read. */
export const MAX_POLICY_BYTES = 1_048_576;
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
  if (!validate(document)) {
    const errors = (validate.errors ?? []).slice(0, 4 * MAX_PROBLEMS);
    return { problems: ordered(schemaProblems(source, place, errors)) };
  }
  const problems = checkDocument(document, place);
  if (problems.length > 0) return { problems: ordered(problems) };
  return { policy: compilePolicy(document, sha256, source.file, place) };
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
