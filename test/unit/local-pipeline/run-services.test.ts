import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { PipelineServices, RunFacts } from '#local-pipeline/pipeline-services.ts';
import { type FixtureTask, PipelineFixture, stepOf } from './pipeline-fixture.ts';

const ALPHA = '11111111-1111-4111-8111-111111111111';
const BETA = '22222222-2222-4222-8222-222222222222';

/** Remembers what it was told, as a service would. */
class RecordedServices implements PipelineServices {
  readonly proxyUrl = 'http://127.0.0.1:9';
  readonly caFile = '/ca.pem';
  readonly organization = { name: 'fabrikam', id: 'o', url: 'https://dev.azure.com/fabrikam/' };
  readonly project = { name: 'Shop', id: 'p' };
  readonly calls: string[] = [];
  readonly runs: RunFacts[] = [];
  connections() {
    const facts = {
      type: 'AzureRM',
      url: 'https://management.azure.com/',
      scheme: 'WorkloadIdentityFederation',
      data: { environment: 'AzureCloud' },
    };
    return [
      { ...facts, id: ALPHA, name: 'alpha', parameters: { tenantid: 'tenant-one', serviceprincipalid: 'client-one' } },
      { ...facts, id: BETA, name: 'beta', parameters: { tenantid: 'tenant-two', serviceprincipalid: 'client-two' } },
    ];
  }
  beginRun(run: RunFacts): void {
    this.runs.push(run);
  }
  beginJob({ jobId, connectionIds }: { jobId: string; connectionIds: readonly string[] }) {
    this.calls.push(`begin ${connectionIds.join(',')}`);
    return { accessToken: `token-of-${jobId}`, oidcRequestUri: `https://dev.azure.com/oidc/${jobId}` };
  }
  beginStep({ name }: { name: string }): void {
    this.calls.push(`step ${name}`);
  }
  endJob(): void {
    this.calls.push('end');
  }
  published() {
    return {
      tags: ['by-rest'],
      properties: { key: 'value' },
      attachments: [{ type: 't', name: 'n', recordId: 'r', content: new Uint8Array([1]) }],
    };
  }
}

const DUMP: FixtureTask = {
  json: {
    inputs: [
      { name: 'service', type: 'connectedService:AzureRM', label: 'S', aliases: ['azureSubscription'] },
      { name: 'text', type: 'string', label: 'T' },
    ],
  },
  files: {
    'index.js':
      "require('fs').writeFileSync(process.env.DUMP, JSON.stringify(process.env)); console.log('client', process.env['ENDPOINT_AUTH_PARAMETER_' + process.env.INPUT_SERVICE + '_SERVICEPRINCIPALID'], process.env['ENDPOINT_AUTH_PARAMETER_' + process.env.INPUT_SERVICE + '_TENANTID'])",
  },
};

describe('a run with services', () => {
  let fixture: PipelineFixture;
  let services: RecordedServices;
  beforeEach(() => {
    fixture = new PipelineFixture();
    services = new RecordedServices();
  });
  afterEach(() => fixture.remove());

  const dumpFile = () => path.join(fixture.root, 'dump.json');
  const run = (yaml: string, variables: Readonly<Record<string, string>> = {}) =>
    fixture.run(yaml, { vsix: fixture.vsix({ Dump: DUMP }), services, variables: { DUMP: dumpFile(), ...variables } });
  const environment = () => JSON.parse(readFileSync(dumpFile(), 'utf8')) as Record<string, string>;

  it('a task gets the connection that its input names, by alias and without case, and no other', async () => {
    await run('steps:\n- task: Dump@1\n  inputs: { azureSubscription: Alpha, text: beta }');
    const env = environment();
    assert.equal(env['INPUT_SERVICE'], ALPHA);
    assert.equal(env[`ENDPOINT_URL_${ALPHA}`], 'https://management.azure.com/');
    assert.equal(env[`ENDPOINT_AUTH_SCHEME_${ALPHA}`], 'WorkloadIdentityFederation');
    assert.deepEqual(JSON.parse(env[`ENDPOINT_AUTH_${ALPHA}`] ?? ''), {
      parameters: { tenantid: 'tenant-one', serviceprincipalid: 'client-one' },
      scheme: 'WorkloadIdentityFederation',
    });
    assert.equal(env[`ENDPOINT_AUTH_PARAMETER_${ALPHA}_TENANTID`], 'tenant-one');
    assert.deepEqual(JSON.parse(env[`ENDPOINT_DATA_${ALPHA}`] ?? ''), { environment: 'AzureCloud' });
    assert.equal(env[`ENDPOINT_DATA_${ALPHA}_ENVIRONMENT`], 'AzureCloud');
    assert.deepEqual(
      Object.keys(env).filter((name) => name.includes(BETA)),
      [],
    );
  });

  it('proxy and authority arrive by the agent variables alone', async () => {
    await run('steps:\n- task: Dump@1');
    const env = environment();
    assert.equal(env['AGENT_PROXYURL'], 'http://127.0.0.1:9');
    assert.equal(env['AGENT_CAINFO'], '/ca.pem');
    const [bypass] = JSON.parse(env['AGENT_PROXYBYPASSLIST'] ?? '[]') as string[];
    assert.ok(
      new RegExp(bypass ?? 'x').test('http://127.0.0.1:8082/api') &&
        !new RegExp(bypass ?? '').test('https://127.0.0.1.example.org/'),
    );
    for (const name of ['HTTPS_PROXY', 'https_proxy', 'NODE_EXTRA_CA_CERTS', 'REQUESTS_CA_BUNDLE'])
      assert.equal(env[name], undefined, name);
  });

  it('the job has its own token and OIDC address; the token is masked, client ids too, tenants are not', async () => {
    await run('steps:\n- task: Dump@1\n  inputs: { service: alpha }\n- bash: echo "$(System.AccessToken)"');
    const env = environment();
    assert.equal(env['ENDPOINT_AUTH_PARAMETER_SYSTEMVSSCONNECTION_ACCESSTOKEN'], `token-of-${env['SYSTEM_JOBID']}`);
    assert.equal(env['ENDPOINT_URL_SYSTEMVSSCONNECTION'], 'https://dev.azure.com/fabrikam/');
    assert.equal(env['SYSTEM_OIDCREQUESTURI'], `https://dev.azure.com/oidc/${env['SYSTEM_JOBID']}`);
    assert.ok(!fixture.log().includes('token-of-'));
    assert.match(fixture.log(), /client \*\*\* tenant-one/);
  });

  it('a job may use the connections of its stage; what happens is told in order', async () => {
    await run(
      'stages:\n- stage: A\n  jobs:\n  - job: J\n    steps: [{ checkout: none }, { task: Dump@1, inputs: { service: alpha } }]\n  - job: K\n    steps: [{ checkout: none }, { script: echo }]\n- stage: B\n  jobs:\n  - job: L\n    steps: [{ checkout: none }, { task: Dump@1, inputs: { service: beta } }]',
    );
    assert.deepEqual(services.calls, [
      `begin ${ALPHA}`,
      'step Dump',
      'end',
      `begin ${ALPHA}`,
      'step CmdLine',
      'end',
      `begin ${BETA}`,
      'step Dump',
      'end',
    ]);
  });

  it('the run is described once, with what --var says', async () => {
    fixture.commit();
    await run('steps:\n- script: echo', {
      'Build.BuildId': '77',
      'Build.Reason': 'Schedule',
      'Build.SourceBranch': 'refs/heads/x',
    });
    const [facts] = services.runs;
    assert.equal(services.runs.length, 1);
    assert.deepEqual(
      [facts?.buildId, facts?.reason, facts?.branch, facts?.definitionId],
      [77, 'Schedule', 'refs/heads/x', 1],
    );
    assert.match(facts?.commit ?? '', /^[0-9a-f]{40}$/);
    assert.match(facts?.buildNumber ?? '', /^\d{8}\.1$/);
  });

  it('a variable of the YAML may name a connection, one that is set at run time may not', async () => {
    await run('variables: { c: beta }\nsteps:\n- task: Dump@1\n  inputs: { service: $(c) }');
    assert.equal(environment()['INPUT_SERVICE'], BETA);
    await assert.rejects(
      run('steps:\n- task: Dump@1\n  inputs: { service: $(later) }'),
      /:3:22: The service connection '\$\(later\)' cannot be resolved before the run/,
    );
    await assert.rejects(
      run('steps:\n- task: Dump@1\n  inputs: { service: gamma }'),
      /'gamma' does not exist; known: alpha, beta/,
    );
    assert.equal(services.runs.length, 1);
  });

  it('what was published by REST is in the report', async () => {
    const report = await run('steps:\n- bash: echo "##vso[build.addbuildtag]by-command"');
    assert.deepEqual(report.tags, ['by-command', 'by-rest']);
    assert.deepEqual(report.properties, { key: 'value' });
    assert.deepEqual(
      report.attachments.map(({ type, name }) => [type, name]),
      [['t', 'n']],
    );
  });

  it('setendpoint changes a connection for the rest of the job, never the job connection', async () => {
    const change = (command: string) => `- bash: echo "##vso[task.setendpoint ${command}"\n  displayName: change\n`;
    await run(
      `steps:\n${change(`id=${ALPHA};field=authParameter;key=extra]new-secret-value`)}- task: Dump@1\n  inputs: { service: alpha }\n- bash: echo new-secret-value`,
    );
    assert.equal(environment()[`ENDPOINT_AUTH_PARAMETER_${ALPHA}_EXTRA`], 'new-secret-value');
    assert.ok(
      !fixture
        .log()
        .split('\n')
        .some((line) => line.endsWith(' new-secret-value')),
    );
    const system = await run(
      `steps:\n${change('id=00000000-0000-0000-0000-000000000000;field=url]https://evil.example')}`,
    );
    assert.match(stepOf(system, 'change').issues[0]?.message ?? '', /Modification of system endpoint/);
    const undeclared = await run(`steps:\n${change(`id=${BETA};field=url]https://x.example`)}`);
    assert.equal(undeclared.result, 'Failed');
  });
});
