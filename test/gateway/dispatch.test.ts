import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../support/eventually.ts';
import { AZURE_TOKEN, ScriptedAzureDevOps } from '../support/scripted-azure-devops.ts';
import { eventsOf, ServedGateway } from '../support/served-gateway.ts';

const PATH = '/v1/azure-devops/pipeline-runs';
const BODY = { project: 'demo', pipeline: 42, ref: 'main', templateParameters: { table: 'orders' } };
const BINDING = {
  name: 'dags',
  issuer: 'app',
  match: { all: [{ claim: 'team', equals: 'data' }] },
  pipelines: ['publish'],
  examples: { allow: [{ claims: { team: 'data', sub: 'a' } }], deny: [{ claims: { team: 'other', sub: 'a' } }] },
};
const PIPELINES = {
  publish: {
    organization: 'https://dev.azure.com/fabrikam',
    project: 'demo',
    pipeline: 42,
    refs: [{ equals: 'refs/heads/main' }],
    templateParameters: { table: { oneOf: ['orders', 'returns'] }, rows: { exists: true, optional: true } },
    otherParameters: false,
    contextParameter: 'queuedBy',
  },
};

async function served(
  azure: ScriptedAzureDevOps,
  config: object,
  environment: Readonly<Record<string, string>>,
): Promise<ServedGateway> {
  const policy = { pipelines: PIPELINES, bindings: [BINDING] };
  const gateway = new ServedGateway({ config: { network: azure.network, ...config }, policy, environment });
  await gateway.start();
  return gateway;
}

/** A gateway as it is served, with a managed identity, before an Azure DevOps that does as the test says. */
describe('a served gateway that queues pipelines', () => {
  let azure: ScriptedAzureDevOps;
  let gateway: ServedGateway;
  before(async () => {
    azure = await ScriptedAzureDevOps.start();
    const organization = { organization: 'Fabrikam', projects: ['demo'], identity: { kind: 'managed' } };
    gateway = await served(azure, { azureDevOps: [organization] }, azure.environment);
  });
  after(async () => {
    await gateway?.close();
    await azure?.close();
  });
  beforeEach(() => {
    azure.script = () => undefined;
  });

  const post = (body: object, { key, token = gateway.token() }: { key?: string; token?: string } = {}) =>
    gateway.request(PATH, token, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(key !== undefined && { 'idempotency-key': key }) },
      body: JSON.stringify(body),
    });
  const get = (id: string, rest = '', token = gateway.token()) => gateway.request(`${PATH}/${id}${rest}`, token);

  it('queues one, and tells its way to the end by status, events and outcome', async () => {
    const lineage = {
      parent: { runId: '01930000-0000-7000-8000-000000000001', namespace: 'airflow', name: 'dag.task' },
    };
    const made = await post(
      { ...BODY, lineage, claimed: { dagId: 'dag' } },
      { key: 'dag/manual__2026-11-21T18:55:21+00:00' },
    );
    assert.equal(made.status, 201, await made.clone().text());
    const run = await told(made);
    assert.equal(made.headers.get('location'), `${PATH}/${run.id}`);
    assert.deepEqual([run.state, run.tags, run.sharedId, run.ref], ['queued', 'set', run.id, 'refs/heads/main']);
    assert.deepEqual(run.templateParameters, ['table']);
    const [build] = azure.builds;
    const context = JSON.parse(build?.templateParameters['queuedBy'] ?? '');
    assert.deepEqual([context.sharedId, context.parent, context.caller.dagId], [run.id, lineage.parent, 'dag']);
    assert.deepEqual(azure.tokensFor, ['499b84ac-1321-427f-aa17-267ca6975798']);

    const going = await get(run.id, '/outcome');
    assert.deepEqual([going.status, (await told(going)).code], [404, 'pipeline-run-not-ended']);
    const events = eventsOf(await get(run.id, '/events'));
    azure.end(run.run.id, 'succeeded');
    const updates = await events;
    assert.deepEqual(
      updates.map(({ event }) => event),
      [...Array(updates.length - 1).fill('update'), 'end'],
    );
    assert.equal(updates.at(-2)?.data.outcome.state, 'succeeded');
    const outcome = await get(run.id, '/outcome');
    assert.deepEqual([outcome.status, (await told(outcome)).state], [200, 'succeeded']);
  });

  it('is asked as its specification says', () => assert.deepEqual(azure.findings, []));

  it('gives a caller another answer than a foreign one, and than nobody', async () => {
    const { id } = await told(await post({ ...BODY, key: 'mine' }));
    for (const rest of ['', '/outcome', '/events']) {
      const foreign = await get(id, rest, gateway.token('mallory'));
      assert.deepEqual([foreign.status, (await told(foreign)).code], [404, 'pipeline-run-not-found'], rest);
      assert.equal((await gateway.request(`${PATH}/${id}${rest}`, undefined)).status, 401);
    }
    const other = await post({ ...BODY, key: 'mine' }, { token: gateway.token('bob') });
    assert.notEqual((await told(other)).id, id);
  });

  it('refuses by name what would change what runs, and everything that it does not know', async () => {
    const before = azure.queueings.length;
    for (const name of ['variables', 'yamlOverride', 'stagesToSkip', 'resources', 'previewRun', 'branch']) {
      const answer = await post({ ...BODY, key: 'k', [name]: {} });
      const problem = await told(answer);
      assert.deepEqual([answer.status, problem.code], [400, 'request-invalid'], name);
      assert.match(problem.detail, new RegExp(`body\\.${name} `));
    }
    const bad: object[] = [
      { ref: 'a b' },
      { ref: '##vso[x]' },
      { pipeline: 0 },
      { pipeline: '42' },
      { project: '../x' },
      { organization: 'https://evil.example/fabrikam' },
      { key: '' },
      { templateParameters: { table: '$(System.AccessToken)' } },
      { templateParameters: { 'a b': 1 } },
      { lineage: { parent: { runId: 'x', namespace: 'n', name: 'n' } } },
      { claimed: { issuer: 'somebody' } },
      { templateParameters: { table: 'x'.repeat(20_000) } },
    ];
    for (const more of bad) {
      const answer = await post({ ...BODY, key: 'k', ...more });
      assert.equal(answer.status, 400, `${JSON.stringify(more).slice(0, 80)}: ${await answer.text()}`);
    }
    assert.equal((await post(BODY)).status, 400);
    assert.equal((await post({ ...BODY, key: 'a' }, { key: 'b' })).status, 400);
    assert.equal(azure.queueings.length, before);
  });

  it('asks the policy for pipeline, ref and every parameter', async () => {
    const before = azure.queueings.length;
    const wanted: object[] = [
      { pipeline: 43 },
      { project: 'other' },
      { organization: 'contoso' },
      { ref: 'refs/heads/x' },
      { ref: 'refs/tags/main' },
      { templateParameters: { table: 'people' } },
      { templateParameters: { table: 'orders', more: 1 } },
      { templateParameters: { table: 'orders', queuedBy: '{}' } },
      { templateParameters: { table: 'orders', QueuedBy: '{}' } },
    ];
    for (const more of wanted) {
      const answer = await post({ ...BODY, key: 'denied', ...more });
      assert.deepEqual([answer.status, (await told(answer)).code], [403, 'pipeline-denied'], JSON.stringify(more));
    }
    const stranger = await post({ ...BODY, key: 'k' }, { token: gateway.token('alice', 'app', { team: 'other' }) });
    assert.equal(stranger.status, 403);
    assert.equal(azure.queueings.length, before);
    assert.equal(gateway.audit().filter(({ type }) => type.endsWith('dispatch.denied')).length, wanted.length + 1);
  });

  it('queues one for fifty requests with one key at the same time, and none for the same key with another body', async () => {
    const before = azure.builds.length;
    const token = gateway.token();
    const answers = await Promise.all(Array.from({ length: 50 }, () => post({ ...BODY, key: 'fifty' }, { token })));
    const runs = await Promise.all(answers.map(told));
    assert.equal(new Set(runs.map(({ id }) => id)).size, 1);
    assert.deepEqual(answers.map(({ status }) => status).toSorted(), [...Array(49).fill(200), 201]);
    const other = await post({ ...BODY, key: 'fifty', templateParameters: { table: 'returns' } });
    assert.deepEqual([other.status, (await told(other)).code], [409, 'pipeline-key-reused']);
    assert.equal(azure.builds.length, before + 1);
  });

  it('waits for the end when it is asked to, and says how it ended', async () => {
    const waiting = post({ ...BODY, key: 'wait', wait: true });
    const before = azure.builds.length;
    await eventually(() => azure.builds.length > before, 'the run');
    azure.end(azure.builds.at(-1)?.id ?? 0, 'partiallySucceeded');
    const answer = await waiting;
    const run = await told(answer);
    assert.deepEqual([answer.status, run.state], [201, 'partiallySucceeded']);
    const outcome = await get(run.id, '/outcome');
    const { code, reason } = await told(outcome);
    assert.deepEqual([outcome.status, code, reason], [409, 'pipeline-run-not-succeeded', 'partiallySucceeded']);
    assert.equal((await get(run.id, '/outcome?accept=partiallySucceeded')).status, 200);
  });

  it('says what Azure DevOps says of a refusal, and how to mend it', async () => {
    azure.script = () => ({ status: 403, body: { message: 'Access denied. ##vso[task.complete] needs Queue builds' } });
    const answer = await post({ ...BODY, key: 'refused' });
    const { code, reason, detail } = await told(answer);
    assert.deepEqual([answer.status, code, reason], [422, 'pipeline-refused', 'permission']);
    assert.match(detail, /Access denied.*"Queue builds" on pipeline 42/);
    assert.doesNotMatch(detail, /##vso/);
    azure.script = () => undefined;
    await eventually(async () => (await post({ ...BODY, key: 'refused' })).status === 201, 'the same key to be taken');
  });

  it('tells metrics, readiness and the document of its API of it', async () => {
    const metrics = await (await fetch(gateway.metricsUrl)).text();
    assert.match(metrics, /plumbline_pipeline_requests_total\{result="queued"\} \d/);
    assert.match(metrics, /plumbline_pipeline_runs\{state="queued"\} \d/);
    const { checks } = await told(await fetch(`${gateway.url}/readyz`));
    assert.ok(checks.some(({ name }) => name === 'azureDevOps'));
    const { paths } = await told(await fetch(`${gateway.url}/v1/openapi.json`));
    assert.ok(paths[`${PATH}/{id}/outcome`]);
  });

  it('forgets nothing over a kill, and follows to the end what went on', async () => {
    const run = await told(await post({ ...BODY, key: 'killed' }));
    await gateway.stop('SIGKILL');
    azure.end(run.run.id, 'canceled');
    await gateway.start();
    await eventually(async () => (await told(await get(run.id))).state === 'cancelled', 'the end');
    const again = await post({ ...BODY, key: 'killed' });
    assert.deepEqual([again.status, (await told(again)).id], [200, run.id]);
    await eventually(
      () => gateway.audit().some(({ type, subject }) => subject === run.id && type.endsWith('dispatch.end')),
      'the record of the end',
    );
  });

  it('wrote no token and no value of a parameter anywhere', async () => {
    await gateway.stop();
    const files = filesBelow(join(gateway.folder, 'state'));
    assert.ok(files.length > 3);
    const texts = [gateway.log, ...files.map((file) => readFileSync(file, 'latin1'))];
    for (const [i, text] of texts.entries()) assert.ok(!text.includes(AZURE_TOKEN), ['log', ...files][i]);
    assert.ok(!JSON.stringify(gateway.audit()).includes('returns'));
    assert.ok(!gateway.log.includes('returns'));
    assert.deepEqual(azure.findings, []);
  });
});

describe('a served gateway whose identity cannot be used', () => {
  let azure: ScriptedAzureDevOps;
  let gateway: ServedGateway;
  before(async () => {
    azure = await ScriptedAzureDevOps.start();
    const config = {
      identity: { kind: 'managed' },
      azureDevOps: [{ organization: 'fabrikam', identity: { kind: 'default' } }],
    };
    gateway = await served(azure, config, { AZURE_CLIENT_SECRET: 'canary-of-a-stored-secret' });
  });
  after(async () => {
    await gateway?.close();
    await azure?.close();
  });

  it('says so to whoever asks, and sends nothing', async () => {
    const answer = await gateway.request(PATH, gateway.token(), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...BODY, key: 'k' }),
    });
    const problem = await told(answer);
    assert.deepEqual([problem.code, problem.reason], ['pipeline-refused', 'identity'], JSON.stringify(problem));
    assert.match(problem.detail, /AZURE_CLIENT_SECRET/);
    assert.ok(!JSON.stringify([problem, gateway.log]).includes('canary-of-a-stored-secret'));
    assert.deepEqual(azure.asked, []);
  });
});

/** What the tests read of answers; each has some of it. */
interface Told {
  readonly id: string;
  readonly state: string;
  readonly tags: string;
  readonly sharedId: string;
  readonly ref: string;
  readonly templateParameters: readonly string[];
  readonly run: { readonly id: number };
  readonly code: string;
  readonly reason: string;
  readonly detail: string;
  readonly checks: readonly { readonly name: string }[];
  readonly paths: Readonly<Record<string, unknown>>;
}

function told(answer: Response): Promise<Told> {
  return answer.json() as Promise<Told>;
}

function filesBelow(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile());
}
