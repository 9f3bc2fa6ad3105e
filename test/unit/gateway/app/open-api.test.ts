import assert from 'node:assert/strict';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import ajvFormats from 'ajv-formats';
import type { InjectOptions } from 'fastify';
import { BODY, createdRun, GOOD, gatewayWorld, OUTCOME, TASK, type World } from './gateway-world.ts';

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

describe('the OpenAPI document', () => {
  let world: World;
  let document: Document;
  const routes: string[] = [];
  before(async () => {
    world = await gatewayWorld();
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

  it('is valid OpenAPI 3.1', async () => {
    assert.equal(document.openapi, '3.1.0');
    const result = await new Validator().validate(structuredClone(document) as object as Record<string, unknown>);
    assert.deepEqual(result.errors ?? [], []);
    assert.equal(result.valid, true);
  });

  it('has these operations', () => {
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    assert.deepEqual(operations.sort(), [
      'GET /healthz',
      'GET /readyz',
      'GET /v1/about',
      'GET /v1/openapi.json',
      'GET /v1/runs',
      'GET /v1/runs/{id}',
      'GET /v1/runs/{id}/events',
      'GET /v1/runs/{id}/graph',
      'GET /v1/runs/{id}/lineage',
      'GET /v1/runs/{id}/logs',
      'POST /v1/runs',
      'POST /v1/runs/{id}/cancel',
      'POST /v1/runs/{id}/token',
      'PUT /v1/bundles/{sha256}',
    ]);
  });

  it('has every route that answers something else than 405, and every one of its operations answers', async () => {
    const id = '00000000-0000-7000-8000-000000000000';
    for (const [path, methods] of Object.entries(document.paths)) {
      const url = path.replace('{id}', id).replace('{sha256}', 'a'.repeat(64));
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const) {
        const { statusCode } = await world.app.inject({ method, url, headers: GOOD });
        assert.equal(
          statusCode === 405,
          methods[method.toLowerCase()] === undefined,
          `${method} ${path}: ${statusCode}`,
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
    assert.deepEqual(open.sort(), ['/healthz', '/readyz', '/v1/about', '/v1/openapi.json']);
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
});
