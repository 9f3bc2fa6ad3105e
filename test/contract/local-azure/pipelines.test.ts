import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AzureDeclaration } from '#local-azure/declaration.ts';
import type { Incoming, Reply } from '#local-azure/exchange.ts';
import { type LocalAzure, type LocalAzureOptions, startLocalAzure } from '#local-azure/local-azure.ts';
import type { QueuedRun } from '#local-azure/pipeline-queue.ts';
import { answered, type Call, callAzure } from '../../support/azure-client.ts';
import { AzureDevOpsSpecs, SPECS_PRESENT } from '../../support/azure-devops-specs.ts';
import { ask } from '../../support/azure-wire.ts';
import { eventually } from '../../support/eventually.ts';
import { MACHINE_CLIENT, STRANGER_CLIENT, sampleDeclaration, WORKFLOW_CLIENT } from '../../support/local-azure.ts';

const AZURE_DEVOPS = '499b84ac-1321-427f-aa17-267ca6975798';
const YAML = `parameters:
  - { name: day, type: string }
  - { name: rows, type: number, default: 1 }
  - { name: full, type: boolean, default: false }
  - { name: region, type: string, default: eu, values: [eu, us] }
  - { name: filter, type: object, default: {} }
steps:
  - script: echo \${{ parameters.day }}
`;
const folder = mkdtempSync(join(tmpdir(), 'plumbline-pipelines-'));
writeFileSync(join(folder, 'reload.yml'), YAML);

/** `machine` may queue and tag, `watcher` only tag, `member` nothing; `stranger` is no user of the organization. */
function declaration(more: Partial<AzureDeclaration> = {}): AzureDeclaration {
  const managed = (name: string, clientId: string) => ({ name, kind: 'managedIdentity' as const, clientId });
  return sampleDeclaration({
    organization: { name: 'fabrikam', members: ['member'] },
    connections: [],
    vaults: [],
    roleAssignments: [],
    identities: [
      managed('machine', MACHINE_CLIENT),
      managed('watcher', WORKFLOW_CLIENT),
      managed('stranger', STRANGER_CLIENT),
      managed('member', MEMBER_CLIENT),
    ],
    machineIdentities: ['machine', 'watcher', 'stranger', 'member'],
    pipelines: [
      {
        id: 12,
        name: 'reload',
        yaml: 'reload.yml',
        refs: ['refs/heads/main', 'refs/heads/release/1'],
        queueBuilds: ['machine'],
        tagBuilds: ['machine', 'watcher'],
      },
      { id: 13, name: 'elsewhere', project: 'Other', yaml: 'reload.yml', queueBuilds: ['machine'] },
      { id: 14, name: 'nobodys', yaml: 'reload.yml' },
    ],
    ...more,
  });
}

/** What answers have, as far as it is looked at. */
interface Json {
  readonly id: number;
  readonly name: string;
  readonly message: string;
  readonly typeKey: string;
  readonly state: string;
  readonly status: string;
  readonly result: string;
  readonly buildNumber: string;
  readonly queueTime: string;
  readonly finishTime: string;
  readonly templateParameters: unknown;
  readonly value: readonly { readonly id: number }[];
}

const MEMBER_CLIENT = '44444444-8888-4777-8666-555555555555';
const RUNS = 'https://dev.azure.com/fabrikam/demo/_apis/pipelines/12/runs';
const BUILDS = 'https://dev.azure.com/fabrikam/demo/_apis/build/builds';

/** A runner that ends runs when the test says so. */
class HandRunner {
  readonly runs: QueuedRun[] = [];
  readonly #ends = new Map<number, (result: 'succeeded' | 'partiallySucceeded' | 'failed' | 'canceled') => void>();

  run = (queued: QueuedRun) => {
    this.runs.push(queued);
    const { services, buildId, variables, ref } = queued;
    services.beginRun({
      buildId,
      buildNumber: `named-${buildId}`,
      definitionId: queued.pipeline.id,
      definitionName: queued.pipeline.name,
      planId: variables['System.PlanId'] ?? '',
      timelineId: variables['System.TimelineId'] ?? '',
      repository: { id: 'r', name: 'r', type: 'TfsGit', url: 'https://dev.azure.com/fabrikam/demo/_git/r' },
      branch: ref,
      commit: 'c'.repeat(40),
      reason: 'Manual',
    });
    return new Promise<'succeeded' | 'partiallySucceeded' | 'failed' | 'canceled'>((resolve) => {
      this.#ends.set(buildId, resolve);
      queued.cancelled.addEventListener('abort', () => resolve('canceled'));
    });
  };

  end(buildId: number, result: 'succeeded' | 'partiallySucceeded' | 'failed'): void {
    this.#ends.get(buildId)?.(result);
  }
}

/** As the App Service endpoint gives it to a process of the machine. */
async function tokenFor(azure: LocalAzure, clientId: string, resource = AZURE_DEVOPS): Promise<string> {
  const { endpoint = '', header = '' } = azure.managedIdentity ?? {};
  const url = `${endpoint}?api-version=2019-08-01&resource=${resource}&client_id=${clientId}`;
  const response = await fetch(url, { headers: { 'x-identity-header': header } });
  return ((await response.json()) as { access_token: string }).access_token;
}

describe('pipelines of local Azure', () => {
  const specs = SPECS_PRESENT ? new AzureDevOpsSpecs() : undefined;
  const findings: string[] = [];
  const operations = new Set<string | undefined>();
  const observe = (request: Incoming, reply: Reply) => {
    const checked = specs?.check(request, reply);
    operations.add(checked?.operationId);
    findings.push(...(checked?.findings ?? []));
  };
  let azure: LocalAzure;
  let runner: HandRunner;
  let tokens: Readonly<Record<'machine' | 'watcher' | 'stranger' | 'member', string>>;

  const start = async (options: LocalAzureOptions = {}, more: Partial<AzureDeclaration> = {}) => {
    runner = new HandRunner();
    azure = await startLocalAzure(declaration(more), { directory: folder, runQueued: runner.run, observe, ...options });
    const [machine = '', watcher = '', stranger = '', member = ''] = await Promise.all(
      [MACHINE_CLIENT, WORKFLOW_CLIENT, STRANGER_CLIENT, MEMBER_CLIENT].map((client) => tokenFor(azure, client)),
    );
    tokens = { machine, watcher, stranger, member };
  };
  beforeEach(() => start());
  afterEach(() => azure.close());
  after(() => rmSync(folder, { recursive: true, force: true }));

  const call = async (
    url: string,
    { token = tokens.machine, method = 'GET', body = undefined as unknown, headers = {} } = {},
  ) => {
    const query = url.includes('api-version') ? '' : `${url.includes('?') ? '&' : '?'}api-version=7.1`;
    const answer = await ask(azure, `${url}${query}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        'x-tfs-fedauthredirect': 'Suppress',
        ...headers,
      },
      body: body === undefined ? '' : JSON.stringify(body),
    });
    const isJson = String(answer.headers['content-type']).includes('json');
    return { ...answer, json: (isJson ? JSON.parse(answer.body) : {}) as Json };
  };
  const parameters = { day: '2026-11-20' };
  const queue = (body: unknown = { templateParameters: parameters }, options = {}) =>
    call(RUNS, { method: 'POST', body, ...options });
  const started = async (body?: unknown): Promise<number> => {
    const { json } = await queue(body);
    const id = Number(json.id);
    await eventually(() => runner.runs.some(({ buildId }) => buildId === id), 'the run begins');
    return id;
  };

  it('queue a run for whoever has the permission, and hand it over', async () => {
    const body = {
      resources: { repositories: { self: { refName: 'refs/heads/release/1' } } },
      templateParameters: { ...parameters, rows: '7', filter: '{"a":[1]}' },
    };
    const { status, json } = await queue(body);
    assert.equal(status, 200);
    assert.equal(json.state, 'inProgress');
    assert.deepEqual(json.templateParameters, body.templateParameters);
    await eventually(() => runner.runs.length === 1, 'it is handed over');
    const [run] = runner.runs;
    assert.deepEqual(
      [run?.buildId, run?.yaml, run?.ref, run?.templateParameters, run?.pipeline.name],
      [json.id, join(folder, 'reload.yml'), 'refs/heads/release/1', body.templateParameters, 'reload'],
    );
    assert.equal(run?.variables['Build.QueuedBy'], 'machine');
    assert.deepEqual(
      azure.runs().map(({ pipeline, status }) => [pipeline, status]),
      [[12, 'inProgress']],
    );
  });

  it('tell how a run stands and how it ended, by both APIs', async () => {
    const id = await started();
    assert.equal((await call(`${BUILDS}/${id}`)).json.status, 'inProgress');
    runner.end(id, 'partiallySucceeded');
    await azure.settled();
    const { json: build } = await call(`${BUILDS}/${id}`);
    assert.deepEqual(
      [build.status, build.result, build.buildNumber],
      ['completed', 'partiallySucceeded', `named-${id}`],
    );
    assert.ok(Date.parse(build.finishTime) >= Date.parse(build.queueTime));
    const { json: run } = await call(`${RUNS}/${id}`);
    assert.deepEqual([run.state, run.result, run.name], ['completed', 'succeeded', `named-${id}`]);
    assert.deepEqual(
      (await call(RUNS)).json.value.map(({ id }) => id),
      [id],
    );
    assert.equal((await call(`${RUNS}/99`)).status, 404);
  });

  it('list builds by definition, time, state, number and tag, the newest first, in pages', async () => {
    const before = new Date(Date.now() - 1_000).toISOString();
    const ids = [await started(), await started(), await started()];
    const [one, two, three] = ids as [number, number, number];
    runner.end(two, 'failed');
    await eventually(() => azure.runs()[1]?.status === 'completed', 'the second has ended');
    await call(`${BUILDS}/${three}/tags`, { method: 'POST', body: ['plumbline', 'x'] });
    const listed = async (query: string) => (await call(`${BUILDS}?${query}`)).json.value.map(({ id }) => id);
    assert.deepEqual(await listed(`definitions=12&minTime=${before}&queryOrder=queueTimeDescending`), [
      three,
      two,
      one,
    ]);
    assert.deepEqual(await listed('queryOrder=queueTimeAscending'), [one, two, three]);
    assert.deepEqual(await listed('definitions=13'), []);
    assert.deepEqual(await listed(`minTime=${new Date(Date.now() + 60_000).toISOString()}`), []);
    assert.deepEqual(await listed('statusFilter=inProgress,notStarted'), [three, one]);
    assert.deepEqual(await listed('statusFilter=completed&resultFilter=failed'), [two]);
    assert.deepEqual(await listed(`buildIds=${one},${three}`), [three, one]);
    assert.deepEqual(await listed('tagFilters=plumbline,x'), [three]);
    const page = await call(`${BUILDS}?$top=2`);
    assert.deepEqual(
      page.json.value.map(({ id }) => id),
      [three, two],
    );
    const more = String(page.headers['x-ms-continuationtoken']);
    assert.deepEqual(await listed(`$top=2&continuationToken=${more}`), [one]);
    for (const wrong of ['queryOrder=newest', 'minTime=yesterday', '$top=0', 'colour=red'])
      assert.equal((await call(`${BUILDS}?${wrong}`)).status, 400, wrong);
  });

  it('are tagged by whoever may, and by nobody else', async () => {
    const id = await started();
    const tag = (token: string) => call(`${BUILDS}/${id}/tags`, { token, method: 'POST', body: ['plumbline'] });
    assert.deepEqual((await tag(tokens.machine)).json.value, ['plumbline']);
    assert.equal((await tag(tokens.watcher)).status, 200);
    assert.equal((await tag(tokens.member)).status, 403);
    await azure.close();
    await start({}, { pipelines: [{ id: 12, name: 'reload', yaml: 'reload.yml', queueBuilds: ['machine'] }] });
    const other = await started();
    const refused = await call(`${BUILDS}/${other}/tags`, { method: 'POST', body: ['plumbline'] });
    assert.equal(refused.status, 403);
    assert.match(refused.json.message, /^TF215106: Access denied\. .*machine needs Update build information/);
    assert.deepEqual(azure.runs()[0]?.tags, []);
  });

  it('refuse an identity without the permission, and tell it nothing of runs', async () => {
    const id = await started();
    for (const token of [tokens.watcher, tokens.member]) {
      const { status, json } = await queue(undefined, { token });
      assert.equal(status, 403);
      assert.match(json.message, /needs Queue builds permissions for build pipeline 12 in team project demo/);
    }
    assert.equal((await call(`${BUILDS}/${id}`, { token: tokens.member })).status, 403);
    assert.deepEqual((await call(BUILDS, { token: tokens.member })).json.value, []);
    assert.equal(runner.runs.length, 1);
  });

  it('lead whoever is no user, or has no token of Entra for them, to the sign-in page', async () => {
    const forged = tokens.machine.split('.').with(2, 'A'.repeat(342)).join('.');
    const vault = await tokenFor(azure, MACHINE_CLIENT, 'https://vault.azure.net');
    for (const token of [tokens.stranger, forged, vault, 'x', 'a.b.c']) {
      assert.equal((await queue(undefined, { token })).status, 401);
      const page = await queue(undefined, { token, headers: { 'x-tfs-fedauthredirect': 'no' } });
      assert.equal(page.status, 203);
      assert.match(String(page.headers['content-type']), /^text\/html/);
    }
    assert.equal((await ask(azure, RUNS, { method: 'POST' })).status, 302);
    assert.deepEqual(runner.runs, []);
  });

  it('take no token that has expired', async () => {
    await azure.close();
    let now = Date.now();
    await start({ clock: { now: () => now, sleep: async () => {} } });
    assert.equal((await queue()).status, 200);
    now += 86_400_000;
    assert.equal((await queue()).status, 401);
  });

  it('know no other project, pipeline or organization', async () => {
    const at = (url: string) => call(url, { method: 'POST', body: { templateParameters: parameters } });
    assert.match((await at(RUNS.replace('demo', 'secret'))).json.message, /^TF200016: /);
    assert.equal((await at(RUNS.replace('12', '99'))).status, 404);
    assert.equal((await at(RUNS.replace('12', '13'))).status, 404, 'it is of another project');
    assert.equal((await at(RUNS.replace('demo', 'Other').replace('12', '13'))).status, 200);
    assert.equal((await at(RUNS.replace('12', '14'))).status, 403);
    assert.equal((await at(RUNS.replace('fabrikam', 'contoso'))).status, 404);
    assert.equal((await at(RUNS.replace('dev.azure.com/fabrikam', 'fabrikam.visualstudio.com'))).status, 200);
  });

  const wrong: readonly (readonly [string, object, RegExp])[] = [
    [
      'a template parameter that is not declared',
      { templateParameters: { ...parameters, other: 'x' } },
      /Unexpected parameter 'other'/,
    ],
    ['none for one without a default', { templateParameters: {} }, /A value for the 'day' parameter must be provided/],
    ['a text for a number', { templateParameters: { ...parameters, rows: 'many' } }, /'many' is not a valid number/],
    ['a text for a boolean', { templateParameters: { ...parameters, full: 'yes' } }, /'yes' is not a valid boolean/],
    [
      'a value that is not allowed',
      { templateParameters: { ...parameters, region: 'mars' } },
      /'mars' is not one of the allowed/,
    ],
    ['one name twice', { templateParameters: { ...parameters, DAY: 'x' } }, /more than once/],
    ['a value that is no text', { templateParameters: { ...parameters, rows: 7 } }, /rows must be a text/],
    [
      'a ref that does not exist',
      { resources: { repositories: { self: { refName: 'refs/heads/dev' } } } },
      /using ref refs\/heads\/dev/,
    ],
    ['a short name of a branch', { resources: { repositories: { self: { refName: 'main' } } } }, /using ref main/],
    [
      'a version',
      { resources: { repositories: { self: { refName: 'refs/heads/main', version: 'c' } } } },
      /version of the repository self/,
    ],
    ['another repository', { resources: { repositories: { other: {} } } }, /resource named other/],
    ['another resource', { resources: { pipelines: { p: {} } } }, /resource named pipelines/],
    ['variables', { variables: { X: { value: 'x' } } }, /You can't set the following variables \(X\)/],
    ['stages to skip', { stagesToSkip: ['A'] }, /stage A cannot be skipped/],
    ['other YAML', { yamlOverride: 'steps: []' }, /yamlOverride/],
    ['a preview', { previewRun: true }, /Preview runs/],
    ['a field of its own', { colour: 'red' }, /colour is not a field/],
  ];
  for (const [title, body, message] of wrong)
    it(`refuse ${title}`, async () => {
      const { status, json } = await queue({ templateParameters: parameters, ...body });
      assert.equal(status, 400);
      assert.match(json.message, message);
      assert.deepEqual(azure.runs(), []);
    });

  it('keep several runs apart that go on at once', async () => {
    const [one, two] = [await started(), await started()];
    const jobs = runner.runs.map(({ services, variables }, i) => {
      const planId = variables['System.PlanId'] ?? '';
      const job = services.beginJob({ jobId: JOB_IDS[i] ?? '', planId, timelineId: planId, connectionIds: [] });
      services.beginStep({ recordId: STEP_IDS[i] ?? '', jobId: JOB_IDS[i] ?? '', name: `step ${i}` });
      return { ...job, planId };
    });
    const [first, second] = jobs as [(typeof jobs)[0], (typeof jobs)[0]];
    const attach = (job: typeof first, plan: string, i: number) =>
      ask(
        azure,
        `https://dev.azure.com/fabrikam/demo/_apis/distributedtask/hubs/build/plans/${plan}/timelines/${plan}/records/${STEP_IDS[i]}/attachments/t/n?api-version=7.1`,
        {
          method: 'PUT',
          headers: { authorization: `Bearer ${job.accessToken}`, 'content-type': 'application/octet-stream' },
          body: `of ${i}`,
        },
      );
    assert.equal((await attach(first, first.planId, 0)).status, 200);
    assert.equal((await attach(second, second.planId, 1)).status, 200);
    assert.equal((await attach(first, second.planId, 1)).status, 404, 'a job writes to its own run alone');
    await call(`${BUILDS}/${two}/tags`, { token: first.accessToken, method: 'POST', body: ['foreign'] });
    await call(`${BUILDS}/${one}/tags`, { token: first.accessToken, method: 'POST', body: ['own'] });
    runner.end(one, 'failed');
    await eventually(() => azure.runs()[0]?.status === 'completed', 'the first has ended');
    assert.equal((await call(`${BUILDS}/${one}/tags`, { token: first.accessToken })).status, 401, 'its jobs are over');
    assert.equal((await call(`${BUILDS}/${two}/tags`, { token: second.accessToken })).status, 200);
    assert.deepEqual(
      azure
        .runs()
        .map(({ tags, attachments, result }) => [
          tags,
          attachments.map(({ content }) => Buffer.from(content).toString()),
          result,
        ]),
      [
        [['own'], ['of 0'], 'failed'],
        [[], ['of 1'], undefined],
      ],
    );
    const { json } = await call(`${BUILDS}/${one}`, { token: second.accessToken });
    assert.equal(json.typeKey, 'BuildNotFoundException');
  });

  it('know nothing of the run that a pipeline announces itself, and it nothing of them', async () => {
    const id = await started();
    azure.beginRun(RUN_OF_ITS_OWN);
    assert.deepEqual(azure.published().tags, []);
    assert.deepEqual(
      azure.runs().map(({ buildId }) => buildId),
      [id],
    );
    assert.equal((await call(`${BUILDS}/42`)).status, 404);
    azure.beginRun({ ...RUN_OF_ITS_OWN, buildId: 43 });
    assert.equal((await call(`${BUILDS}/${id}`)).json.status, 'inProgress');
  });

  it('fail when their runner gives up, and say why', async () => {
    await azure.close();
    await start({ runQueued: () => Promise.reject(new Error('no agent')) });
    const { json } = await queue();
    await azure.settled();
    assert.deepEqual(
      azure.runs().map(({ buildId, result, problem }) => [buildId, result, problem]),
      [[json.id, 'failed', 'no agent']],
    );
  });

  it('stay queued when nobody runs them, and are cancelled when local Azure closes', async () => {
    await started();
    await azure.close();
    assert.deepEqual(
      azure.runs().map(({ result }) => result),
      ['canceled'],
    );
    azure = await startLocalAzure(declaration(), { directory: folder });
    tokens = { ...tokens, machine: await tokenFor(azure, MACHINE_CLIENT) };
    const { json } = await queue();
    assert.equal((await call(`${BUILDS}/${json.id}`)).json.status, 'notStarted');
  });

  it('are driven by azure-devops-node-api', async () => {
    const client = (area: string, method: string, ...args: unknown[]): Call => ({
      op: 'devops',
      url: azure.organization.url,
      accessToken: tokens.machine,
      area,
      method,
      args,
    });
    const [queued] = await callAzure(azure, [
      client('Pipelines', 'runPipeline', { templateParameters: parameters }, 'demo', 12),
    ]);
    const { id } = answered<{ id: number }>(queued);
    const results = await callAzure(azure, [
      client('Pipelines', 'getRun', 'demo', 12, id),
      client('Pipelines', 'listRuns', 'demo', 12),
      client('Build', 'getBuild', 'demo', id),
      client('Build', 'getBuilds', 'demo', [12]),
      client('Build', 'addBuildTags', ['plumbline'], 'demo', id),
      client('Build', 'getBuildTags', 'demo', id),
    ]);
    assert.deepEqual(
      results.filter(({ error }) => error !== undefined),
      [],
    );
    assert.deepEqual(answered<unknown>(results.at(-1)), ['plumbline']);
  });

  it('find no fault of the specifications in any of it (needs ../shared/specs)', function () {
    if (specs === undefined) this.skip();
    const oddities = [
      // The specification says that the value of each template parameter is an object.
      /templateParameters.* must be object$/,
      // What a test sent on purpose, and the ways to the sign-in page.
      /request body/,
      /status (?:203|302) is not specified$/,
      /path parameter pipelineId/,
    ];
    assert.deepEqual(
      findings.filter((finding) => !oddities.some((oddity) => oddity.test(finding))),
      [],
    );
    for (const name of [
      'Runs_Run Pipeline',
      'Runs_Get',
      'Runs_List',
      'Builds_List',
      'Builds_Get',
      'Tags_Add Build Tags',
    ])
      assert.ok(operations.has(name), name);
  });
});

const JOB_IDS = ['a0000000-0000-4000-8000-00000000001a', 'a0000000-0000-4000-8000-00000000001b'];
const STEP_IDS = ['a0000000-0000-4000-8000-00000000002a', 'a0000000-0000-4000-8000-00000000002b'];
const RUN_OF_ITS_OWN = {
  buildId: 42,
  buildNumber: '1',
  definitionId: 12,
  definitionName: 'reload',
  planId: 'a0000000-0000-4000-8000-000000000001',
  timelineId: 'a0000000-0000-4000-8000-000000000001',
  repository: { id: 'r', name: 'r', type: 'TfsGit', url: 'https://dev.azure.com/fabrikam/demo/_git/r' },
  branch: 'refs/heads/main',
  commit: 'c'.repeat(40),
  reason: 'Manual',
};
