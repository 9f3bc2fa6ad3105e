import type { ErrorObject } from 'ajv';
import type { FieldPath, FileProblem, YamlSource } from './yaml-source.ts';

/**
 * What a JSON Schema finds wrong in a document, each at its place. Of Ajv with `allErrors` and `verbose: false`; an
 * unknown key is reported at the key, a missing one at the map that lacks it. Never a value of the document.
 */
export function schemaProblems(source: YamlSource, errors: readonly ErrorObject[]): FileProblem[] {
  const told = errors.filter((error) => !SUMMARIES.has(error.keyword) && !isOfAnotherKind(error, errors));
  const problems = (told.length > 0 ? told : errors).map((error) => problem(source, error));
  return problems.filter((one, i) => problems.findIndex((other) => same(one, other)) === i);
}

/** They only say that one of their branches failed, which is told beside them. */
const SUMMARIES = new Set(['if', 'anyOf', 'oneOf', 'allOf', 'not']);

/**
 * Of a choice between maps by their `kind`: what a map lacks to be one of another kind. A map whose own kind is none, or is
 * missing, is told that and nothing else.
 */
function isOfAnotherKind(error: ErrorObject, errors: readonly ErrorObject[]): boolean {
  const branch = branchOf(error);
  if (branch === undefined) return false;
  const refuses = (one: string) => errors.some((other) => branchOf(other) === one && isAboutKind(other));
  if (!refuses(branch)) return false;
  const choice = branch.replace(/\d+$/, '');
  const isOne = errors.map(branchOf).some((other) => other?.replace(/\d+$/, '') === choice && !refuses(other));
  return isOne || !isAboutKind(error);
}

function branchOf({ schemaPath }: ErrorObject): string | undefined {
  return /^.*\/(?:any|one)Of\/\d+(?=\/)/.exec(schemaPath)?.[0];
}

function isAboutKind({ schemaPath, keyword, params }: ErrorObject): boolean {
  return (
    schemaPath.endsWith('/properties/kind/const') || (keyword === 'required' && params['missingProperty'] === 'kind')
  );
}

function problem(source: YamlSource, error: ErrorObject): FileProblem {
  const path = pathOf(source, error.instancePath);
  const params = error.params as Readonly<Record<string, unknown>>;
  switch (error.keyword) {
    case 'additionalProperties':
      return source.problemAt([...path, String(params['additionalProperty'])], 'unknown key', 'key');
    case 'unevaluatedProperties':
      return source.problemAt([...path, String(params['unevaluatedProperty'])], 'unknown key', 'key');
    case 'required':
      return source.problemAt([...path, String(params['missingProperty'])], 'is missing');
    case 'dependentRequired':
    case 'dependencies':
      return source.problemAt(
        [...path, String(params['missingProperty'])],
        `is needed with '${String(params['property'])}'`,
      );
    case 'enum':
      return source.problemAt(path, `must be one of ${(params['allowedValues'] as unknown[]).join(', ')}`);
    case 'const':
      return source.problemAt(path, `must be ${JSON.stringify(params['allowedValue'])}`);
    case 'propertyNames':
      return source.problemAt([...path, String(params['propertyName'])], 'is no name that is allowed here', 'key');
    default:
      return source.problemAt(path, error.message ?? 'is not valid');
  }
}

/** A pointer's step is an index only where the document has a list. */
function pathOf(source: YamlSource, pointer: string): FieldPath {
  let here: unknown = source.value;
  return pointer
    .split('/')
    .slice(1)
    .map((escaped) => {
      const step = escaped.replaceAll('~1', '/').replaceAll('~0', '~');
      const index = Array.isArray(here) ? Number(step) : undefined;
      here = (here as Readonly<Record<string, unknown>> | undefined)?.[step];
      return index ?? step;
    });
}

function same(a: FileProblem, b: FileProblem): boolean {
  return a.line === b.line && a.column === b.column && a.field === b.field && a.message === b.message;
}
