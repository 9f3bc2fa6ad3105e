import type { ErrorObject } from 'ajv';
import type { FieldPath, FileProblem, YamlSource } from '../config/yaml-source.ts';

type Fields = Readonly<Record<string, unknown>>;

/** What makes a problem out of a place in the document. */
export type Place = (path: FieldPath, message: string, at?: 'key' | 'value') => FileProblem;

/**
 * What a JSON Schema finds wrong in a policy, each at its place. Of Ajv with `allErrors` and `verbose`: the schema's own
 * descriptions say what is allowed. Never a value of the document, only keys.
 */
export function schemaProblems(source: YamlSource, place: Place, errors: readonly ErrorObject[]): FileProblem[] {
  const problems = errors.flatMap((error) => {
    const message = inWords(error);
    if (message === undefined) return [];
    const path = pathOf(source.value, error.instancePath);
    const key = keyOf(error);
    return [place(key === undefined ? path : [...path, key], message, isAboutKey(error) ? 'key' : 'value')];
  });
  const seen = new Map(problems.map((problem) => [`${problem.field} ${problem.message}`, problem]));
  return [...seen.values()];
}

/** `undefined` for an error that another one tells better. */
function inWords({ keyword, params, schema, parentSchema, propertyName }: ErrorObject): string | undefined {
  const { description } = (parentSchema ?? {}) as { description?: string };
  // Which operator a condition lacks is told by the `oneOf` around it, why a name is none by `propertyNames`.
  if (isBranch(parentSchema) || propertyName !== undefined) return undefined;
  switch (keyword) {
    case 'additionalProperties':
      return `unknown key; known are ${Object.keys((parentSchema as { properties?: object }).properties ?? {}).join(', ')}`;
    case 'required':
      return 'is missing';
    case 'propertyNames':
      return 'is no name that is allowed here';
    case 'oneOf':
      return `needs exactly one of ${operators(schema)}`;
    case 'discriminator':
      return 'must be installed, wheel or bundle';
    case 'enum':
      return `must be one of ${(schema as string[]).join(', ')}`;
    case 'const':
      return `must be ${JSON.stringify(params['allowedValue'])}`;
    case 'uniqueItems':
      return 'holds the same entry twice';
    case 'not':
      return undefined;
    default:
      return keyword === 'pattern' && description ? `must be ${description}` : limit(keyword, schema, description);
  }
}

/** Those of a choice between `{required: [operator]}`. */
function operators(choice: unknown): string {
  const names = (choice as { required: string[] }[]).map(({ required }) => required.join());
  return `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}

/** `{required: [operator]}`, a branch of the choice between operators. */
function isBranch(parentSchema: unknown): boolean {
  return JSON.stringify(Object.keys(parentSchema ?? {})) === '["required"]';
}

function limit(keyword: string, schema: unknown, description: string | undefined): string {
  const limits: Readonly<Record<string, string>> = {
    type: `must be ${Array.isArray(schema) && description ? lower(description) : typeName(schema)}`,
    minLength: 'must not be empty',
    maxLength: `must have at most ${schema} characters`,
    minItems: `must have at least ${schema} entry`,
    maxItems: `must have at most ${schema} entries`,
    minProperties: `must have at least ${schema} entry`,
    maxProperties: `must have at most ${schema} entries`,
    minimum: `must be at least ${schema}`,
    maximum: `must be at most ${schema}`,
  };
  return limits[keyword] ?? 'is not valid';
}

function typeName(schema: unknown): string {
  const names: Readonly<Record<string, string>> = {
    object: 'a map',
    array: 'a list',
    string: 'a text',
    integer: 'a whole number',
    number: 'a number',
    boolean: 'true or false',
  };
  return [schema]
    .flat()
    .flatMap((name) => names[String(name)] ?? [])
    .join(', ');
}

function lower(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

function isAboutKey({ keyword }: ErrorObject): boolean {
  return keyword === 'additionalProperties' || keyword === 'propertyNames';
}

function keyOf({ params }: ErrorObject): string | undefined {
  const { additionalProperty, missingProperty, propertyName } = params as Readonly<Record<string, string | undefined>>;
  return additionalProperty ?? missingProperty ?? propertyName;
}

/** A pointer's step is an index only where the document has a list. */
function pathOf(value: unknown, pointer: string): FieldPath {
  let here: unknown = value;
  const steps = pointer.split('/').slice(1);
  return steps.map((escaped) => {
    const step = escaped.replaceAll('~1', '/').replaceAll('~0', '~');
    const isIndex = Array.isArray(here);
    here = (here as Fields | undefined)?.[step];
    return isIndex ? Number(step) : step;
  });
}
