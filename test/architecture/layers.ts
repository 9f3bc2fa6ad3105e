import { posix } from 'node:path';

/** A file of the repository; `path` is relative to it, with slashes. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

export interface Import {
  readonly specifier: string;
  readonly typeOnly: boolean;
}

/** Which rooms a room of src/ may import; `:types` allows types only. What is not here is forbidden. */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  core: [],
  http: ['core'],
  host: ['core'],
  'azure-devops': ['core', 'http'],
  identity: ['core', 'http'],
  secrets: ['core', 'http', 'identity'],
  engines: ['core', 'http'],
  graph: ['core'],
  run: ['core', 'engines:types'],
  lineage: ['core', 'http'],
  report: ['core'],
  publish: ['core', 'azure-devops', 'report'],
  steps: [
    'core',
    'http',
    'azure-devops',
    'identity',
    'secrets',
    'engines',
    'graph',
    'run',
    'lineage',
    'report',
    'publish',
  ],
  gateway: ['core', 'http', 'identity', 'secrets', 'azure-devops', 'engines', 'run', 'graph', 'lineage', 'report'],
  cli: [
    'core',
    'http',
    'identity',
    'secrets',
    'azure-devops',
    'engines',
    'run',
    'graph',
    'lineage',
    'report',
    'gateway',
  ],
  'local-azure': ['core'],
  'local-pipeline': ['core'],
};

/** Rooms whose folders do not see each other, only the files that lie beside them. */
const ROOMS_OF_SEPARATE_FOLDERS = ['engines', 'steps'];

/** Where each package may be imported, as beginnings of paths. What is not here is forbidden in src/ and tasks/. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  // Loading it reads and removes the inputs, so one room holds it and no unit test reaches it.
  'azure-pipelines-task-lib': ['src/host/azure-pipelines.ts', 'src/host/agent-', 'src/host/run-task.ts'],
  'azure-devops-node-api': ['src/azure-devops/'],
  // Both SDKs lie in one lazy file, so that the parts they share are in the task once.
  '@azure/identity': ['src/identity/'],
  '@azure/keyvault-keys': ['src/gateway/issuer/'],
  '@azure/keyvault-secrets': ['src/identity/azure-sdk.ts', 'src/secrets/'],
  '@azure/core-rest-pipeline': ['src/http/azure-http-client.ts'],
  'http-proxy-agent': ['src/http/'],
  'https-proxy-agent': ['src/http/'],
  yaml: [
    'src/steps/mapping.ts',
    'src/steps/run-airflow/',
    'src/local-azure/',
    'src/local-pipeline/',
    'src/gateway/',
    'src/cli/',
  ],
  // In a task it lies in a file of its own, loaded when a DAG has a schema for its conf.
  ajv: ['src/engines/airflow/', 'src/local-azure/', 'src/gateway/'],
  'ajv-formats': ['src/engines/airflow/', 'src/local-azure/', 'src/gateway/'],
  jose: ['src/local-azure/', 'src/gateway/'],
  // The one way to luigid.
  undici: ['src/gateway/luigid/'],
  'openid-client': ['src/gateway/sign-in/'],
  cookie: ['src/gateway/sign-in/'],
  fastify: ['src/gateway/app/'],
  '@fastify/helmet': ['src/gateway/app/'],
  '@fastify/rate-limit': ['src/gateway/app/'],
  '@fastify/swagger': ['src/gateway/app/'],
  '@fastify/under-pressure': ['src/gateway/app/'],
  kysely: ['src/gateway/store/', 'src/gateway/runs/', 'src/gateway/audit/'],
  pino: ['src/gateway/'],
  'prom-client': ['src/gateway/app/'],
  'eventsource-parser': ['src/engines/'],
  fflate: ['src/local-pipeline/'],
  minimatch: ['src/local-pipeline/'],
};

/** Node's modules without input and output, for core; report has none, because a browser reads it too. */
const NODE_MODULES: Readonly<Record<string, readonly string[]>> = {
  core: ['node:util', 'node:crypto', 'node:stream', 'node:string_decoder'],
  report: [],
};

const STATEMENT = /^(?:import|export)\s+(type\s)?(?:[^'";]*?\sfrom\s+)?['"]([^'"]+)['"]/gm;
const DYNAMIC = /\b(typeof\s+)?import\(\s*['"]([^'"]+)['"]\s*\)(\.\w)?/g;

/** Static and dynamic imports and re-exports of a TypeScript file. */
export function importsOf(text: string): Import[] {
  const code = text.replace(/^\s*(\/\/|\/?\*).*$/gm, '');
  const statements = [...code.matchAll(STATEMENT)].map(([, type, specifier = '']) => ({
    specifier,
    typeOnly: type !== undefined,
  }));
  const dynamic = [...code.matchAll(DYNAMIC)].map(([, type, specifier = '']) => ({
    specifier,
    typeOnly: type !== undefined,
  }));
  return [...statements, ...dynamic];
}

/** Every import that the layering forbids, as `file → specifier: why`. */
export function layerViolations(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) => {
    const problems = importsOf(file.text).flatMap((found) => {
      const why = violation(file.path, found);
      return why === undefined ? [] : [`${file.path} → ${found.specifier}: ${why}`];
    });
    return file.path.startsWith('tasks/') ? [...problems, ...taskViolations(file)] : problems;
  });
}

function violation(path: string, found: Import): string | undefined {
  const { specifier } = found;
  if (specifier.startsWith('node:')) return nodeViolation(path, specifier);
  if (specifier.startsWith('#')) return roomViolation(path, `src/${specifier.slice(1)}`, found);
  if (specifier.startsWith('.')) return relativeViolation(path, posix.join(posix.dirname(path), specifier), found);
  return packageViolation(path, specifier);
}

function nodeViolation(path: string, specifier: string): string | undefined {
  const allowed = NODE_MODULES[roomOf(path)];
  if (allowed === undefined || allowed.includes(specifier)) return undefined;
  return `${roomOf(path)} does no input or output`;
}

function roomViolation(path: string, target: string, { typeOnly }: Import): string | undefined {
  const from = roomOf(path);
  const to = roomOf(target);
  if (from === to) return `inside a room imports start with ./`;
  if (path.startsWith('tasks/')) return ['host', 'steps'].includes(to) ? undefined : 'a task imports host and one step';
  const allowed = ROOMS[from] ?? [];
  if (allowed.includes(to) || (typeOnly && allowed.includes(`${to}:types`))) return undefined;
  return `${from} may import ${allowed.join(', ') || 'no other room'}`;
}

function relativeViolation(path: string, target: string, { specifier }: Import): string | undefined {
  if (roomOf(path) !== roomOf(target)) return 'a relative path may not leave its room';
  if (/\/$|\/index\.ts$/.test(specifier)) return 'there are no barrels';
  const [from, to] = [folderInRoom(path), folderInRoom(target)];
  if (!ROOMS_OF_SEPARATE_FOLDERS.includes(roomOf(path)) || to === undefined || from === to) return undefined;
  return `${from ?? roomOf(path)} does not see ${to}`;
}

function packageViolation(path: string, specifier: string): string | undefined {
  const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
  const places = PACKAGES[name] ?? [];
  if (places.some((place) => path.startsWith(place))) return undefined;
  return places.length > 0 ? `only ${places.join(', ')} may import it` : 'no file may import this package';
}

/** A task's entry is imports and one call, and reaches exactly one step. */
function taskViolations({ path, text }: SourceFile): string[] {
  const steps = importsOf(text).filter(({ specifier }) => specifier.startsWith('#steps/'));
  const lines = text.trimEnd().split('\n').length;
  return [
    ...(steps.length === 1 ? [] : [`${path}: imports ${steps.length} steps instead of one`]),
    ...(lines <= 10 ? [] : [`${path}: has ${lines} lines; an entry is imports and one call`]),
  ];
}

/** `src/identity/assertion.ts` → `identity`, `tasks/RunLuigiV1/index.ts` → `tasks/RunLuigiV1`. */
function roomOf(path: string): string {
  const [top = '', room = ''] = path.split('/');
  return top === 'src' ? room : `${top}/${room}`;
}

/** `src/engines/luigi/start.ts` → `luigi`; `undefined` for a file that lies in the room itself. */
function folderInRoom(path: string): string | undefined {
  const parts = path.split('/');
  return parts.length > 3 ? parts[2] : undefined;
}
