import { AIRFLOW_SCHEMAS } from './airflow-schemas.ts';
import { DISPATCH_SCHEMAS } from './dispatch-schemas.ts';
import { PROBLEMS } from './problem.ts';
import { TOKEN_SCHEMAS } from './token-schemas.ts';

const text = (description: string, maxLength = 255) => ({ type: 'string', minLength: 1, maxLength, description });
const time = (description: string) => ({
  type: 'integer',
  description: `${description} Milliseconds since the epoch.`,
});
const hex64 = { type: 'string', pattern: '^[0-9a-f]{64}$', description: 'SHA-256, lower-case hexadecimal.' };
export const RUN_STATES = ['queued', 'running', 'succeeded', 'failed', 'cancelled', 'lost', 'deadline'] as const;
const ISOLATION = { enum: ['user', 'none'], description: 'none: the worker runs as the gateway.' };
export const RUN_ID = '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$';
/** Of one that was registered; the attempts of runs are counted from 1. */
export const WORKER_ID = RUN_ID.replace('$', '\\.0$');

const object = (properties: object, required: readonly string[] = Object.keys(properties)) => ({
  type: 'object',
  additionalProperties: false,
  required,
  properties,
});

const problem = {
  $id: 'Problem',
  description: 'RFC 9457. Every answer that is no success has it.',
  ...object(
    {
      type: { type: 'string', format: 'uri', description: 'Address of the page about this code.' },
      title: { type: 'string' },
      status: { type: 'integer', minimum: 400, maximum: 599 },
      detail: { type: 'string' },
      code: { enum: Object.keys(PROBLEMS), description: 'Stable.' },
      requestId: { type: 'string', description: 'To be named when asking the operator.' },
      reason: { type: 'string', description: 'A stable word, e.g. why a token is refused.' },
      problems: { type: 'array', items: object({ field: { type: 'string' }, message: { type: 'string' } }) },
    },
    ['type', 'title', 'status', 'detail', 'code', 'requestId'],
  ),
};

const specification = {
  role: { ...text('A role of the policy.', 64) },
  module: { ...text('Python module of the task.'), pattern: '^[A-Za-z_]\\w*(\\.[A-Za-z_]\\w*)*$' },
  task: { ...text('Family of the root task.'), pattern: '^[\\w.-]+$' },
  parameters: {
    type: 'object',
    maxProperties: 256,
    propertyNames: { pattern: '^[A-Za-z_]\\w{0,127}$' },
    description: 'As the role allows them; text is given to Luigi as it is.',
  },
  workers: { type: 'integer', minimum: 1, maximum: 1_000, description: 'Worker processes.' },
  timeoutMs: { type: 'integer', minimum: 1, maximum: 31_536_000_000, description: 'No longer than the role allows.' },
  attempt: text('Which attempt of a step asks.', 64),
  bundle: hex64,
  claimed: {
    type: 'object',
    maxProperties: 64,
    propertyNames: { pattern: '^[A-Za-z][\\w.-]{0,63}$' },
    additionalProperties: { type: 'string', maxLength: 1_024 },
    description: 'What the caller says about itself and no token signs.',
  },
};

const createRun = { $id: 'CreateRun', ...object(specification, ['role', 'module', 'task']) };

const registerWorker = {
  $id: 'RegisterWorker',
  description: 'A Luigi worker that runs elsewhere. It is decided on like a run of this role, module and task.',
  ...object(
    {
      role: specification.role,
      module: specification.module,
      task: specification.task,
      parameters: specification.parameters,
      lifetimeMs: {
        ...specification.timeoutMs,
        description: 'No longer than a run of the role may take, which is the default.',
      },
    },
    ['role', 'module', 'task'],
  ),
};

const registeredWorker = {
  $id: 'RegisteredWorker',
  description: 'Everything that its Luigi needs. The URL holds a password: it is for this worker and for luigid alone.',
  ...object({
    workerId: { type: 'string', description: "Luigi's id of the worker, or what it begins with, followed by a colon." },
    schedulerUrl: { type: 'string' },
    expiresAt: time('The end of the registration.'),
    environment: {
      type: 'object',
      additionalProperties: { type: 'string' },
      description: 'The same as environment variables.',
    },
  }),
};

const links = object(
  Object.fromEntries(
    ['self', 'events', 'logs', 'graph', 'lineage', 'cancel', 'token'].map((name) => [name, { type: 'string' }]),
  ),
);

const runFields = {
  id: { type: 'string', pattern: RUN_ID },
  key: { type: 'string', description: 'The Idempotency-Key it was created with.' },
  specification: object(specification, ['role', 'module', 'task', 'parameters', 'workers', 'attempt', 'claimed']),
  state: { enum: RUN_STATES, description: 'lost: nobody can say how it ended. Only succeeded is green.' },
  attempt: { type: 'integer', minimum: 0, description: 'Starts of a worker; 0 while queued.' },
  createdAt: time('When it was accepted.'),
  startedAt: time('When its worker was started.'),
  endedAt: time('When it ended.'),
  stopRequested: { enum: ['cancelled', 'deadline'] },
  caller: { type: 'object', description: 'Who created it: signed facts.' },
  decision: object(
    { policy: hex64, binding: { type: 'string' }, mode: { type: 'string' }, wouldAllow: { type: 'boolean' } },
    ['policy', 'mode', 'wouldAllow'],
  ),
  isolation: ISOLATION,
  code: object(
    {
      kind: { enum: ['installed', 'wheel', 'bundle'] },
      digest: { type: 'string' },
      version: { type: 'string' },
      commit: { type: 'string' },
      commitProof: { enum: ['signed', 'marker', 'claimed'] },
    },
    ['kind'],
  ),
  secrets: {
    type: 'array',
    description: 'Names and versions, never values.',
    items: object(Object.fromEntries(['vault', 'name', 'version', 'target'].map((name) => [name, { type: 'string' }]))),
  },
  outcome: { type: 'object', description: 'How it ended, without its tasks: those are in the events.' },
  links,
};

const OPTIONAL = ['startedAt', 'endedAt', 'stopRequested', 'code', 'outcome'];
const runRequired = Object.keys(runFields).filter((name) => !OPTIONAL.includes(name));
const run = { $id: 'Run', ...object(runFields, runRequired) };

const runToken = { runToken: { type: 'string' }, runTokenExpiresAt: time('The end of the token.') };
const createdRun = {
  $id: 'CreatedRun',
  description: 'A run, and a token for this run alone.',
  ...object({ ...runFields, ...runToken }, [...runRequired, ...Object.keys(runToken)]),
};

const runList = {
  $id: 'RunList',
  ...object({ runs: { type: 'array', items: { $ref: 'Run#' } }, cursor: { type: 'string' } }, ['runs']),
};

const cancelAnswer = {
  $id: 'CancelAnswer',
  ...object({
    answer: { enum: ['stopped', 'requested'], description: 'requested: it is still winding down.' },
    run: { $ref: 'Run#' },
  }),
};

const issuedToken = {
  $id: 'RunToken',
  ...object({ token: { type: 'string' }, expiresAt: time('The end of the token.') }),
};

const graph = {
  $id: 'Graph',
  ...object({
    root: { type: 'string' },
    nodes: {
      type: 'array',
      items: object({
        id: { type: 'string' },
        family: { type: 'string' },
        dependsOn: { type: 'array', items: { type: 'string' } },
      }),
    },
  }),
};

const lineage = {
  $id: 'Lineage',
  ...object({
    events: { type: 'array', description: 'OpenLineage 2-0-2 run events.', items: { type: 'object' } },
    omittedDatasets: { type: 'integer', minimum: 0 },
  }),
};

const bundle = { $id: 'Bundle', ...object({ sha256: hex64, size: { type: 'integer', minimum: 1 } }) };

const about = {
  $id: 'About',
  ...object({
    name: { const: 'plumbline-gateway' },
    version: { type: 'string' },
    api: { const: 'v1' },
    documentation: { type: 'string' },
  }),
};

const health = { $id: 'Health', ...object({ status: { const: 'ok' } }) };

const readiness = {
  $id: 'Readiness',
  ...object({
    ready: { type: 'boolean' },
    checks: {
      type: 'array',
      items: object(
        { name: { type: 'string' }, state: { enum: ['ok', 'warning', 'failed'] }, detail: { type: 'string' } },
        ['name', 'state'],
      ),
    },
  }),
};

/** Every named schema of the API; the document at /v1/openapi.json has them as components. */
export const API_SCHEMAS = [
  problem,
  createRun,
  run,
  createdRun,
  registerWorker,
  registeredWorker,
  runList,
  cancelAnswer,
  issuedToken,
  graph,
  lineage,
  bundle,
  about,
  health,
  readiness,
  ...TOKEN_SCHEMAS,
  ...AIRFLOW_SCHEMAS,
  ...DISPATCH_SCHEMAS,
] as const;
