import assert from 'node:assert/strict';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import ajvFormats from 'ajv-formats';
import type { InjectOptions } from 'fastify';
import { PlumblineError } from '#core/errors.ts';
import { Secret } from '#core/secret.ts';
import type { AppServices } from '#gateway/app/app-services.ts';
import { workerTokens } from '#gateway/auth/worker-tokens.ts';
import type { AirflowConfig } from '#gateway/config/gateway-config.ts';
import type { PipelineRun } from '#gateway/dispatch/pipeline-run.ts';
import { identityRejected } from '#gateway/issuer/identity-rejected.ts';
import type { Worker } from '#gateway/workers/worker.ts';
import { BODY, callerNamed, createdRun, GOOD, gatewayWorld, OUTCOME, TASK, type World } from './gateway-world.ts';

interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
}

interface Operation {
  readonly operationId?: string;
  readonly summary?: string;
  readonly security?: readonly object[];
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, { schema: object }>> }>>;
}

const WORKER: Worker = {
  id: '00000000-0000-7000-8000-000000000000.1',
  kind: 'run',
  runId: '00000000-0000-7000-8000-000000000000',
  attempt: 1,
  caller: callerNamed('good-alice'),
  role: 'etl',
};
const WORKER_TOKENS = workerTokens(new Secret('k'.repeat(43)));
const EXCHANGE = {
  grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
  subject_token: WORKER_TOKENS.issue(WORKER.id),
  subject_token_type: 'https://plumbline.dev/token-type/worker',
  task_family: 'Load',
  task_id: 'Load__1',
};

/** With everything that one can have. */
const PIPELINE_RUN: PipelineRun = {
  id: '00000000-0000-7000-8000-000000000042',
  key: 'k',
  scope: 's',
  fingerprint: 'f',
  state: 'succeeded',
  organization: 'https://dev.azure.com/fabrikam',
  project: 'demo',
  pipeline: 42,
  ref: 'refs/heads/main',
  templateParameters: ['table'],
  createdAt: 1,
  queuedAt: 2,
  startedAt: 3,
  endedAt: 4,
  run: { id: 7, name: '2026.7', url: 'https://dev.azure.com/fabrikam/demo/_build/results?buildId=7' },
  tags: 'set',
  problem: 'p',
  error: { code: 'ERR_PIPELINE_UNKNOWN', message: 'm', remedy: 'r', reason: 'x' },
  caller: {},
  claimed: { dagId: 'd' },
  decision: {},
};
const PIPELINE_RUNS = '/v1/azure-devops/pipeline-runs';
const PIPELINE = { project: 'demo', pipeline: 42, ref: 'main', key: 'k' };

function queueing(payload: object): InjectOptions {
  return { method: 'POST', url: PIPELINE_RUNS, payload: { ...PIPELINE, ...payload } };
}

/** What a gateway has when its configuration says so. */
const CONFIGURED: Partial<AppServices> = {
  workers: {
    find: (id) => (id === WORKER.id ? WORKER : undefined),
    uidOf: () => undefined,
    decide: () => assert.fail('not asked here'),
  },
  taskTokens: {
    exchange: async (_, { family }) => {
      if (family !== 'Load') throw identityRejected({ reason: 'family' });
      const targets = [{ kind: 'file', audience: 'vault', variable: 'V' }] as const;
      return { token: 'a.b.c', expiresAt: Date.now() + 9_000, renewAfterSeconds: 60, audience: 'vault', targets };
    },
  },
  issuer: {
    url: 'https://issuer.example.com',
    lifetimeSeconds: 600,
    keysMaxAgeSeconds: 60,
    tokenEndpoint: 'https://issuer.example.com/v1/token',
    issue: () => assert.fail('nothing is issued here'),
    keys: () => [{ kty: 'RSA', use: 'sig', alg: 'RS256', kid: 'k', n: 'n', e: 'AQAB' }],
    problem: () => undefined,
    close: async () => {},
  },
  airflow: {
    issuers: new Map([
      [
        'warehouse',
        {
          config: {} as AirflowConfig,
          keys: () => [
            { kty: 'OKP', crv: 'Ed25519', x: 'x', use: 'sig', alg: 'EdDSA', kid: 'a' },
            { kty: 'RSA', use: 'sig', alg: 'RS256', kid: 'k', n: 'n', e: 'AQAB' },
          ],
          issue: () => assert.fail('nothing is issued here'),
          problem: () => undefined,
        },
      ],
    ]),
    tokens: {
      exchange: async (_, { airflow }) => {
        if (airflow !== 'warehouse') throw identityRejected({ reason: 'airflow-unknown' });
        return {
          token: 'a.b.c',
          expiresAt: Date.now() + 9_000,
          user: 'ci',
          role: 'op',
          url: 'https://airflow.example.com',
        };
      },
    },
  },
  dispatch: {
    runs: {
      create: async (_, key) => {
        if (key === 'refused')
          throw new PlumblineError('ERR_PIPELINE_REFUSED', 'No', { details: { reason: 'permission' } });
        return { run: PIPELINE_RUN, created: key !== 'known' };
      },
      settled: async () => PIPELINE_RUN,
      read: async (_, id) => {
        if (id === PIPELINE_RUN.id) return PIPELINE_RUN;
        throw new PlumblineError('ERR_RUN_UNKNOWN', 'There is none');
      },
      updates: async () => [],
      watch: () => () => {},
    },
    organizationOf: () => PIPELINE_RUN.organization,
  },
  stockWorkers: {
    workers: {
      register: async (caller, key, specification) => ({
        worker: { id: WORKER.runId, key, caller, specification, fingerprint: '', createdAt: 1, expiresAt: 2 },
        created: true,
      }),
      end: async () => false,
    },
    tokens: WORKER_TOKENS,
    schedulerUrl: () => 'https://gateway.example.com/luigid',
  },
};

const STOCK = { role: 'etl', module: 'etl.tasks', task: 'Load' };

function exchange(fields: Readonly<Record<string, string>>): InjectOptions {
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  return { method: 'POST', url: '/v1/token', headers, payload: new URLSearchParams(fields).toString() };
}

describe('the OpenAPI document', () => {
  let world: World;
  let document: Document;
  const routes: string[] = [];
  before(async () => {
    world = await gatewayWorld({}, CONFIGURED);
    document = (await world.app.inject('/v1/openapi.json')).json();
    const parents: string[] = [];
    for (const line of world.app.printRoutes({ commonPrefix: false, includeHooks: false }).split('\n')) {
      const [, indent = '', part = ''] = /^([│ ]*)[├└]── (\/\S*) \(/.exec(line) ?? [];
      if (part === '') continue;
      const depth = indent.length / 4;
      parents.splice(depth, parents.length, part);
      routes.push(parents.join(''));
    }
  });
  after(() => world.close());

  it('has these operations', () => {
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    assert.deepEqual(operations.sort(), [
      'DELETE /v1/luigid/workers/{id}',
      'GET /.well-known/jwks.json',
      'GET /.well-known/openid-configuration',
      'GET /airflow/{name}/jwks.json',
      'GET /healthz',
      'GET /readyz',
      'GET /v1/about',
      'GET /v1/azure-devops/pipeline-runs/{id}',
      'GET /v1/azure-devops/pipeline-runs/{id}/events',
      'GET /v1/azure-devops/pipeline-runs/{id}/outcome',
      'GET /v1/openapi.json',
      'GET /v1/runs',
      'GET /v1/runs/{id}',
      'GET /v1/runs/{id}/events',
      'GET /v1/runs/{id}/graph',
      'GET /v1/runs/{id}/lineage',
      'GET /v1/runs/{id}/logs',
      'POST /v1/airflow/{name}/token',
      'POST /v1/azure-devops/pipeline-runs',
      'POST /v1/luigid/workers',
      'POST /v1/runs',
      'POST /v1/runs/{id}/cancel',
      'POST /v1/runs/{id}/token',
      'POST /v1/token',
      'PUT /v1/bundles/{sha256}',
    ]);
  });

  it('has every route that answers something else than 405, and every one of its operations answers', async () => {
    const id = '00000000-0000-7000-8000-000000000000';
    for (const [path, methods] of Object.entries(document.paths)) {
      const inPath = path.includes('/workers/') ? `${id}.0` : id;
      const url = path.replace('{id}', inPath).replace('{sha256}', 'a'.repeat(64)).replace('{name}', 'warehouse');
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const) {
        const answer = await world.app.inject({ method, url, headers: GOOD });
        const { statusCode } = answer;
        assert.equal(
          statusCode === 405,
          methods[method.toLowerCase()] === undefined,
          `${method} ${path}: ${statusCode} ${answer.body}`,
        );
      }
    }
    const known = Object.keys(document.paths).map((path) => path.replace(/\{(\w+)\}/g, ':$1'));
    assert.deepEqual(routes.sort(), known.sort());
  });

  it('names and explains each operation, and says which of them are open', () => {
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.values(methods).map((operation) => ({ path, operation })),
    );
    const ids = operations.map(({ operation }) => operation.operationId);
    assert.equal(new Set(ids).size, ids.length);
    assert.ok(operations.every(({ operation }) => operation.operationId && operation.summary));
    const open = operations.filter(({ operation }) => operation.security?.length === 0).map(({ path }) => path);
    assert.deepEqual(open.sort(), [
      '/.well-known/jwks.json',
      '/.well-known/openid-configuration',
      '/airflow/{name}/jwks.json',
      '/healthz',
      '/readyz',
      '/v1/about',
      '/v1/openapi.json',
      // The worker's token stands in its form.
      '/v1/token',
    ]);
  });

  it('describes every answer, exactly', async () => {
    const ajv = new Ajv2020({ strict: false, allErrors: true });
    ajvFormats.default(ajv);
    ajv.addSchema(document, 'api');
    const { id } = await createdRun(world);
    await check('get', '/v1/runs/{id}', { url: `/v1/runs/${id}` });
    await check('get', '/v1/runs/{id}/graph', { url: `/v1/runs/${id}/graph` });
    world.runs.tell(
      id,
      { kind: 'task', task: TASK, previous: undefined, at: 1 },
      { kind: 'outcome', outcome: OUTCOME },
    );
    const headers = { 'idempotency-key': 'api' };
    const json = { 'content-type': 'application/json' };
    const requests: readonly (readonly [string, string, InjectOptions])[] = [
      ['get', '/v1/about', { url: '/v1/about' }],
      ['get', '/healthz', { url: '/healthz' }],
      ['get', '/readyz', { url: '/readyz' }],
      ['get', '/v1/openapi.json', { url: '/v1/openapi.json' }],
      ['post', '/v1/runs', { method: 'POST', url: '/v1/runs', headers, payload: BODY }],
      ['post', '/v1/runs', { method: 'POST', url: '/v1/runs', headers, payload: BODY }],
      ['post', '/v1/runs', { method: 'POST', url: '/v1/runs', headers, payload: { ...BODY, task: 'Other' } }],
      ['post', '/v1/runs', { method: 'POST', url: '/v1/runs', headers, payload: {} }],
      ['post', '/v1/runs', { method: 'POST', url: '/v1/runs', payload: BODY }],
      [
        'post',
        '/v1/runs',
        { method: 'POST', url: '/v1/runs', headers: { 'content-type': 'text/plain' }, payload: 'x' },
      ],
      ['get', '/v1/runs', { url: '/v1/runs?limit=1' }],
      ['get', '/v1/runs', { url: '/v1/runs?limit=x' }],
      ['get', '/v1/runs', { url: '/v1/runs', headers: { authorization: 'Bearer bad' } }],
      ['get', '/v1/runs/{id}', { url: `/v1/runs/${id}` }],
      ['get', '/v1/runs/{id}', { url: '/v1/runs/00000000-0000-7000-8000-000000000000' }],
      ['get', '/v1/runs/{id}/logs', { url: `/v1/runs/${id}/logs` }],
      ['get', '/v1/runs/{id}/logs', { url: `/v1/runs/${id}/logs`, headers: { range: 'bytes=9-' } }],
      ['get', '/v1/runs/{id}/graph', { url: `/v1/runs/${id}/graph` }],
      ['get', '/v1/runs/{id}/lineage', { url: `/v1/runs/${id}/lineage` }],
      ['get', '/v1/runs/{id}/events', { url: `/v1/runs/${id}/events` }],
      ['post', '/v1/runs/{id}/token', { method: 'POST', url: `/v1/runs/${id}/token` }],
      [
        'post',
        '/v1/runs/{id}/cancel',
        { method: 'POST', url: `/v1/runs/${id}/cancel`, headers: json, payload: '{"reason":"cancelled"}' },
      ],
      ['post', '/v1/runs/{id}/cancel', { method: 'POST', url: `/v1/runs/${id}/cancel`, headers: json, payload: '{}' }],
      ['get', '/.well-known/jwks.json', { url: '/.well-known/jwks.json' }],
      ['get', '/.well-known/openid-configuration', { url: '/.well-known/openid-configuration' }],
      ['post', '/v1/token', exchange(EXCHANGE)],
      ['post', '/v1/token', exchange({ ...EXCHANGE, task_family: 'Other' })],
      ['post', '/v1/token', exchange({})],
      ['post', '/v1/token', { method: 'POST', url: '/v1/token', headers: json, payload: '{}' }],
      ['get', '/airflow/{name}/jwks.json', { url: '/airflow/warehouse/jwks.json' }],
      ['get', '/airflow/{name}/jwks.json', { url: '/airflow/none/jwks.json' }],
      ['post', '/v1/airflow/{name}/token', { method: 'POST', url: '/v1/airflow/warehouse/token', payload: {} }],
      ['post', '/v1/airflow/{name}/token', { method: 'POST', url: '/v1/airflow/none/token', payload: {} }],
      ['post', '/v1/airflow/{name}/token', { method: 'POST', url: '/v1/airflow/warehouse/token' }],
      ['post', PIPELINE_RUNS, queueing({})],
      ['post', PIPELINE_RUNS, queueing({ key: 'known' })],
      ['post', PIPELINE_RUNS, queueing({ key: 'refused' })],
      ['post', PIPELINE_RUNS, queueing({ variables: {} })],
      ['get', `${PIPELINE_RUNS}/{id}`, { url: `${PIPELINE_RUNS}/${PIPELINE_RUN.id}` }],
      ['get', `${PIPELINE_RUNS}/{id}`, { url: `${PIPELINE_RUNS}/${id}` }],
      ['get', `${PIPELINE_RUNS}/{id}/outcome`, { url: `${PIPELINE_RUNS}/${PIPELINE_RUN.id}/outcome` }],
      ['get', `${PIPELINE_RUNS}/{id}/outcome`, { url: `${PIPELINE_RUNS}/${id}/outcome` }],
      ['get', `${PIPELINE_RUNS}/{id}/events`, { url: `${PIPELINE_RUNS}/${PIPELINE_RUN.id}/events` }],
      ['post', '/v1/luigid/workers', { method: 'POST', url: '/v1/luigid/workers', headers, payload: STOCK }],
      ['post', '/v1/luigid/workers', { method: 'POST', url: '/v1/luigid/workers', headers, payload: {} }],
      [
        'delete',
        '/v1/luigid/workers/{id}',
        { method: 'DELETE', url: '/v1/luigid/workers/00000000-0000-7000-8000-000000000000.0' },
      ],
    ];
    for (const [method, path, request] of requests) await check(method, path, request);

    async function check(method: string, path: string, request: InjectOptions): Promise<void> {
      const answer = await world.app.inject({ ...request, headers: { ...GOOD, ...request.headers } });
      const what = `${method} ${path} ${answer.statusCode}`;
      const { responses } = document.paths[path]?.[method] ?? { responses: {} };
      const described = responses[answer.statusCode] ?? responses['default'];
      const type = String(answer.headers['content-type']).split(';')[0] ?? '';
      assert.ok(described?.content?.[type], `${what}: ${type} is not described`);
      if (!type.endsWith('json')) return;
      const pointer = `api#/paths/${path.replaceAll('/', '~1').replaceAll('{', '%7B').replaceAll('}', '%7D')}/${method}/responses/${
        responses[answer.statusCode] ? answer.statusCode : 'default'
      }/content/${type.replaceAll('/', '~1')}/schema`;
      const isValid = ajv.validate({ $ref: pointer }, answer.json());
      assert.ok(isValid, `${what}: ${ajv.errorsText()}`);
    }
  });

  // Last: it holds the event loop up, which the gateway takes for too much to do.
  it('is valid OpenAPI 3.1', async () => {
    assert.equal(document.openapi, '3.1.0');
    const result = await new Validator().validate(structuredClone(document) as object as Record<string, unknown>);
    assert.deepEqual(result.errors ?? [], []);
    assert.equal(result.valid, true);
  });
});
