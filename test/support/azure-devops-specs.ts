import { existsSync, readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import formats from 'ajv-formats';
import type { Incoming, Reply } from '#local-azure/exchange.ts';

/** Microsoft's specifications lie beside the checkout, and only there. */
const FOLDER = new URL('../../../shared/specs/azure-devops/', import.meta.url);
const FILES = ['build', 'task', 'git', 'pipelines'] as const;
/** Formats of the specifications that are types rather than formats of text. */
const TYPE_FORMATS = [
  'int16',
  'int32',
  'int64',
  'double',
  'Stream',
  'byte',
  'JToken',
  'JObject',
  'T',
  'TimeSpan',
  'DefinitionTriggerType',
];
/** Fields that the service sends and the specifications do not know (seen in Microsoft's own captured answers). */
const UNSPECIFIED_FIELDS = new Set(['definition.drafts', 'value']);
/** `_links` is a free map on the wire and an object with a field `links` in the specifications. */
const FREE_FIELD = '_links';

export const SPECS_PRESENT = existsSync(FOLDER);

interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema;
  readonly items?: Schema;
  readonly allOf?: readonly Schema[];
}

interface Parameter extends Schema {
  readonly name: string;
  readonly in: 'path' | 'query' | 'body' | 'header';
  readonly required?: boolean;
  readonly schema?: Schema;
  readonly 'x-ms-required'?: boolean;
}

interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly Parameter[];
  readonly responses: Readonly<Record<string, { readonly schema?: Schema }>>;
}

interface Spec {
  readonly definitions: Readonly<Record<string, Schema>>;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

interface Route {
  readonly file: string;
  readonly method: string;
  readonly pattern: RegExp;
  readonly words: number;
  readonly operation: Operation;
}

export interface CheckedExchange {
  /** `undefined`: no specification covers this path. */
  readonly operationId: string | undefined;
  readonly findings: readonly string[];
}

/**
 * Checks exchanges against the specifications, with two rules for what they leave out: a list comes as `{count, value}`, and
 * null stands for an absent field. Beyond them, an answer may have no field that the specification does not know.
 */
export class AzureDevOpsSpecs {
  readonly #specs = new Map<string, Spec>(FILES.map((file) => [file, readSpec(file)]));
  readonly #routes = [...this.#specs].flatMap(([file, spec]) => routesOf(file, spec)).sort((a, b) => b.words - a.words);
  readonly #ajv = new Ajv({ strict: false, allErrors: true, logger: false });

  constructor() {
    formats.default(this.#ajv);
    for (const format of TYPE_FORMATS) this.#ajv.addFormat(format, true);
    for (const [file, { definitions }] of this.#specs) this.#ajv.addSchema({ $id: file, definitions });
  }

  check(request: Incoming, reply: Reply): CheckedExchange {
    const path = request.host === 'dev.azure.com' ? request.url.pathname : `/organization${request.url.pathname}`;
    const route = this.#routes.find(({ method, pattern }) => method === request.method && pattern.test(path));
    if (route === undefined) return { operationId: undefined, findings: [] };
    const findings = [
      ...this.#requestFindings(route, request, path),
      ...(reply.status < 400 ? this.#replyFindings(route, reply) : []),
    ];
    return {
      operationId: route.operation.operationId,
      findings: findings.map((each) => `${request.method} ${path}: ${each}`),
    };
  }

  #requestFindings({ file, operation, pattern }: Route, request: Incoming, path: string): string[] {
    const values = pattern.exec(path)?.groups ?? {};
    return (operation.parameters ?? []).flatMap((parameter) => {
      if (parameter.in === 'path')
        return this.#errors(
          file,
          scalar(parameter),
          asScalar(parameter, values[parameter.name]),
          `path parameter ${parameter.name}`,
        );
      if (parameter.name === 'api-version') return hasVersion(request) ? [] : ['no api-version'];
      if (parameter.in === 'body')
        return bodyFindings(request, (body) => this.#errors(file, parameter.schema ?? {}, body, 'request body'));
      if (parameter.in === 'query' && parameter.required && !request.url.searchParams.has(parameter.name))
        return [`no query parameter ${parameter.name}`];
      return [];
    });
  }

  #replyFindings({ file, operation }: Route, { status, body }: Reply): string[] {
    const response = operation.responses[String(status)] ?? operation.responses['default'];
    if (response === undefined) return [`status ${status} is not specified`];
    const { schema } = response;
    if (schema === undefined || body instanceof Uint8Array) return [];
    const plain = unwrapped(schema, withoutNulls(body));
    return [...this.#errors(file, schema, plain, 'answer'), ...this.#unknownFields(file, schema, plain, '')];
  }

  #errors(file: string, schema: Schema, value: unknown, what: string): string[] {
    const absolute = JSON.parse(
      JSON.stringify(schema).replaceAll('"#/definitions/', `"${file}#/definitions/`),
    ) as Schema;
    const validate = this.#ajv.compile(absolute);
    if (validate(value)) return [];
    return (validate.errors ?? []).map(({ instancePath, message }) => `${what} ${instancePath} ${message}`);
  }

  #unknownFields(file: string, schema: Schema, value: unknown, place: string): string[] {
    const known = this.#resolve(file, schema);
    if (Array.isArray(value)) return value.flatMap((each) => this.#unknownFields(file, known.items ?? {}, each, place));
    if (typeof value !== 'object' || value === null || known.properties === undefined) return [];
    return Object.entries(value).flatMap(([name, child]) => {
      const field = known.properties?.[name];
      const at = place === '' ? name : `${place}.${name}`;
      if (name === FREE_FIELD) return [];
      if (field !== undefined) return this.#unknownFields(file, field, child, at);
      return UNSPECIFIED_FIELDS.has(at) || known.additionalProperties !== undefined
        ? []
        : [`answer has the unknown field ${at}`];
    });
  }

  #resolve(file: string, schema: Schema): Schema {
    const name = schema.$ref?.replace('#/definitions/', '');
    const own = name === undefined ? schema : (this.#specs.get(file)?.definitions[name] ?? {});
    const parts = [...(own.allOf ?? []).map((part) => this.#resolve(file, part)), own];
    const properties = Object.assign({}, ...parts.map((part) => part.properties ?? {})) as Record<string, Schema>;
    return Object.keys(properties).length === 0 ? { ...own, items: own.items ?? {} } : { ...own, properties };
  }
}

function readSpec(file: string): Spec {
  return JSON.parse(readFileSync(new URL(`${file}.json`, FOLDER), 'utf8').replace(/^\uFEFF/, '')) as Spec;
}

/** A last path parameter that is marked as not required may be left out. */
function routesOf(file: string, { paths }: Spec): Route[] {
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => {
      const last = /\/\{(\w+)\}$/.exec(path)?.[1];
      const optional =
        operation.parameters?.some((parameter) => parameter.name === last && parameter['x-ms-required'] === false) ??
        false;
      const fixed = optional ? path.replace(/\/\{\w+\}$/, '') : path;
      const source = fixed.replace(/\{(\w+)\}/g, '(?<$1>[^/]+)') + (optional ? `(?:/(?<${last}>[^/]+))?` : '');
      return {
        file,
        method: method.toUpperCase(),
        pattern: new RegExp(`^${source}/?$`, 'i'),
        words: path.replace(/\{\w+\}/g, '').length,
        operation,
      };
    }),
  );
}

function scalar(parameter: Parameter): Schema {
  const {
    name: _name,
    in: _in,
    required: _required,
    schema: _schema,
    'x-ms-required': _optional,
    ...schema
  } = parameter;
  return schema;
}

function asScalar({ type }: Parameter, text: string | undefined): unknown {
  if (text === undefined) return type === 'integer' ? 0 : '00000000-0000-0000-0000-000000000000';
  return type === 'integer' ? Number(text) : decodeURIComponent(text);
}

function hasVersion({ url, headers }: Incoming): boolean {
  return url.searchParams.has('api-version') || /api-version=/.test(headers.accept ?? '');
}

function bodyFindings({ body, headers }: Incoming, check: (body: unknown) => string[]): string[] {
  if (body.length === 0 || String(headers['content-type']).startsWith('application/octet-stream')) return [];
  return check(JSON.parse(body.toString('utf8')));
}

function unwrapped(schema: Schema, body: unknown): unknown {
  return schema.type === 'array' && !Array.isArray(body) ? (body as { value?: unknown }).value : body;
}

function withoutNulls(body: unknown): unknown {
  return JSON.parse(JSON.stringify(body), (_, value: unknown) => (value === null ? undefined : value));
}
