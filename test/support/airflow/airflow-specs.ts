import { existsSync, readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { parse } from 'yaml';
import type { RecordedAnswer } from './recorded-answers.ts';

/** Airflow's own descriptions lie beside the checkout, and only there. */
const FOLDER = new URL('../../../../shared/specs/airflow/', import.meta.url);
export const AIRFLOW_SPECS_PRESENT = existsSync(FOLDER);

interface Parameter {
  readonly name?: string;
  readonly in?: string;
  readonly $ref?: string;
}

interface Operation {
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content?: Content } | { readonly $ref: string };
  readonly responses: Readonly<Record<string, { readonly content?: Content; readonly $ref?: string }>>;
}
type Content = Readonly<Record<string, { readonly schema?: object }>>;

interface Spec {
  readonly paths: Readonly<
    Record<string, Readonly<Record<string, Operation>> & { readonly parameters?: readonly Parameter[] }>
  >;
  readonly components: { readonly parameters?: Readonly<Record<string, Parameter>> };
}

/** What a description of an API says of recorded answers. */
export class AirflowSpec {
  readonly #spec: Spec;
  readonly #ajv: Ajv;
  /** Version 1 has its paths below `/api/v1`, version 2 has them whole. */
  readonly #base: string;

  constructor(file: 'v1-2.10.yaml' | 'v2-3.2.1.yaml') {
    const isV1 = file.startsWith('v1');
    this.#base = isV1 ? '/api/v1' : '';
    this.#spec = withNull(parse(readFileSync(new URL(file, FOLDER), 'utf8'))) as Spec;
    // OpenAPI 3.0 has a dialect of its own, 3.1 is JSON Schema 2020-12.
    const options = { strict: false, allErrors: true, logger: false, validateSchema: false } as const;
    this.#ajv = isV1 ? new Ajv(options) : (new Ajv2020(options) as unknown as Ajv);
    formats.default(this.#ajv);
    this.#ajv.addSchema(this.#spec as object, 'spec');
  }

  /** `METHOD /path/{with}/names` of the description; `undefined`: it has no such path. */
  operationOf({ method, path }: Pick<RecordedAnswer, 'method' | 'path'>): string | undefined {
    const [whole = ''] = path.split('?');
    const wanted = this.#base !== '' && whole.startsWith(this.#base) ? whole.slice(this.#base.length) : whole;
    const fits = (template: string) =>
      new RegExp(`^${template.replace(/\{[^}]+\}/g, '[^/]+')}$`).test(wanted) &&
      method.toLowerCase() in (this.#spec.paths[template] ?? {});
    const [found] = Object.keys(this.#spec.paths)
      .filter(fits)
      .sort((a, b) => a.split('{').length - b.split('{').length);
    return found === undefined ? undefined : `${method} ${found}`;
  }

  /** What is not as described, of request and answer. */
  findings(answer: RecordedAnswer): readonly string[] {
    const [method = '', template = ''] = this.operationOf(answer)?.split(' ') ?? [];
    const operation = this.#spec.paths[template]?.[method.toLowerCase()];
    if (operation === undefined) return ['no such operation'];
    const at = `#/paths/${template.replaceAll('~', '~0').replaceAll('/', '~1')}/${method.toLowerCase()}`;
    return [...this.#request(operation, at, answer), ...this.#response(operation, at, answer)];
  }

  /** Names in a request's query that the description does not have. */
  unknownQuery(asked: Pick<RecordedAnswer, 'method' | 'path'>): readonly string[] {
    const [method = '', template = ''] = this.operationOf(asked)?.split(' ') ?? [];
    const path = this.#spec.paths[template];
    const parameters = [...(path?.parameters ?? []), ...(path?.[method.toLowerCase()]?.parameters ?? [])];
    const known = parameters.map(
      ({ name, $ref }) => name ?? this.#spec.components.parameters?.[$ref?.split('/').at(-1) ?? '']?.name,
    );
    return [...new URL(asked.path, 'http://airflow').searchParams.keys()].filter((name) => !known.includes(name));
  }

  #request({ requestBody }: Operation, at: string, { request, status }: RecordedAnswer): readonly string[] {
    if (request === undefined || status >= 400 || requestBody === undefined || '$ref' in requestBody) return [];
    return this.#invalid(`${at}/requestBody/content/application~1json/schema`, request, 'request');
  }

  #response({ responses }: Operation, at: string, { status, body, type }: RecordedAnswer): readonly string[] {
    const described = responses[status];
    if (described === undefined) return [`status ${status} is not described`];
    const media = type?.split(';')[0] ?? '';
    if (described.$ref !== undefined || described.content?.[media]?.schema === undefined) return [];
    return this.#invalid(`${at}/responses/${status}/content/${media.replaceAll('/', '~1')}/schema`, body, 'answer');
  }

  #invalid(pointer: string, value: unknown, what: string): readonly string[] {
    const validate = this.#ajv.compile({ $ref: `spec${pointer.replaceAll('{', '%7B').replaceAll('}', '%7D')}` });
    if (validate(value)) return [];
    return (validate.errors ?? []).map(({ instancePath, message }) => `${what}${instancePath} ${message}`);
  }
}

/** `nullable` of OpenAPI 3.0, also where it stands without a type or beside an enum, in words that every validator knows. */
function withNull(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withNull);
  if (typeof value !== 'object' || value === null) return value;
  const { nullable, ...rest } = Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withNull(item)]));
  return nullable === true ? { anyOf: [rest, { type: 'null' }] } : rest;
}
