import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

/** The vendor's schemas beside the checkout; they are not part of the repository. */
const folder = new URL('../../../shared/specs/openlineage/', import.meta.url);

export const hasOpenLineageSpecs = existsSync(folder);

export interface OpenLineageSchemas {
  /** What is wrong with an event against core and then with each of its facets, or nothing. */
  problems(event: unknown): string[];
  /** The same for one facet under its key. */
  facetProblems(key: string, facet: unknown): string[];
  readonly facetKeys: ReadonlySet<string>;
}

export interface Example {
  readonly schema: string;
  readonly file: string;
  readonly content: unknown;
}

/** The examples that OpenLineage itself tests its facets with. */
export function officialExamples(): Example[] {
  const tests = new URL('tests/', folder);
  return readdirSync(tests, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) =>
      readdirSync(new URL(`${name}/`, tests)).map((file) => ({
        schema: name,
        file,
        content: readJson(new URL(`${name}/${file}`, tests)),
      })),
    );
}

export function officialEvent(): unknown {
  return readJson(new URL('tests/example_full_event.json', folder));
}

/** Core and every facet of OpenLineage, and our own facets. */
export function openLineageSchemas(): OpenLineageSchemas {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats.default(ajv);
  const core = readJson(new URL('OpenLineage.json', folder)) as Schema;
  ajv.addSchema(core);
  const schemas = facetSchemas();
  for (const schema of schemas) ajv.addSchema(schema);
  const byKey = schemasByKey(schemas);
  const check = (id: string, value: unknown) =>
    ajv.validate(id, value) ? [] : (ajv.errors ?? []).map((error) => `${error.instancePath} ${error.message}`);
  const facetProblems = (key: string, facet: unknown) => {
    const found = byKey.get(key)?.map((id) => check(id, { [key]: facet }));
    if (found === undefined) return [`${key}: no schema`];
    return found.some((problems) => problems.length === 0) ? [] : found.flat().map((problem) => `${key}${problem}`);
  };
  return {
    facetKeys: new Set(byKey.keys()),
    facetProblems,
    problems: (event) => [
      ...check(core.$id, event),
      ...facetsOf(event).flatMap(([key, facet]) => facetProblems(key, facet)),
    ],
  };
}

interface Schema {
  readonly $id: string;
  readonly properties?: Readonly<Record<string, unknown>>;
}

/** A key can have several schemas: `ownership` of a job and of a dataset. */
function schemasByKey(schemas: readonly Schema[]): ReadonlyMap<string, readonly string[]> {
  const byKey = new Map<string, string[]>();
  for (const { $id, properties = {} } of schemas) {
    for (const key of Object.keys(properties)) byKey.set(key, [...(byKey.get(key) ?? []), $id]);
  }
  return byKey;
}

function facetSchemas(): Schema[] {
  const facets = new URL('facets/', folder);
  const own = ['azure-devops-pipeline-run-facet', 'plumbline-gateway-run-facet'].map(
    (name) => new URL(`../../docs/schemas/${name}.json`, import.meta.url),
  );
  return [...readdirSync(facets).map((file) => new URL(file, facets)), ...own].map((url) => readJson(url) as Schema);
}

function facetsOf(event: unknown): [string, unknown][] {
  const { run, job } = event as Record<'run' | 'job', { readonly facets?: Record<string, unknown> } | undefined>;
  return [...Object.entries(run?.facets ?? {}), ...Object.entries(job?.facets ?? {})];
}

function readJson(url: URL): unknown {
  return JSON.parse(readFileSync(url, 'utf8'));
}
