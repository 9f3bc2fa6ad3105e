import assert from 'node:assert/strict';
import { azureDevOpsRecords } from '#azure-devops/run-records.ts';
import { type Clock, systemClock } from '#core/clock.ts';
import type { NetworkSettings } from '#core/network.ts';
import { Secret } from '#core/secret.ts';
import { agentJob } from '../support/agent-job.ts';
import { JOB, PLAN, STEP, type StartedJob, sampleDeclaration, startJob, TIMELINE } from '../support/local-azure.ts';
import { failure } from '../support/plumbline-failure.ts';

const impatient: Clock = { now: systemClock.now, sleep: async () => undefined };
const bytes = (text: string) => new TextEncoder().encode(text);

function variablesOf(job: StartedJob, change: Record<string, string> = {}): (name: string) => string | undefined {
  const variables: Record<string, string> = {
    'System.TeamProjectId': job.azure.project.id,
    'System.OidcRequestUri': job.oidcRequestUri,
    'System.HostType': 'build',
    'System.PlanId': PLAN,
    'System.TimelineId': TIMELINE,
    'System.TaskInstanceId': STEP,
    'Build.BuildId': '42',
    ...change,
  };
  return (name) => variables[name];
}

describe('records of a step in Azure DevOps', () => {
  let job: StartedJob;

  const records = (change: Record<string, string> = {}, network?: Partial<NetworkSettings>) => {
    const agent = agentJob(job);
    return azureDevOpsRecords({
      system: agent.system,
      network: { ...agent.network, ...network },
      variable: variablesOf(job, change),
      clock: impatient,
    });
  };

  beforeEach(async () => {
    job = await startJob();
  });
  afterEach(() => job.azure.close());

  it('attaches, summarises, tags and sets properties, through proxy and private CA', async () => {
    const own = records();
    await Promise.all([
      own.attach('plumbline-report', 'daily load.json', bytes('{"a":"é"}')),
      own.summary('Daily (load)', bytes('# Daily')),
      own.tag(['luigi', 'plumbline:succeeded']),
      own.properties({ 'Plumbline.a/b~c.state': 'succeeded' }),
    ]);
    const { tags, properties, attachments } = job.azure.published();
    assert.deepEqual(tags, ['luigi', 'plumbline:succeeded']);
    assert.deepEqual(properties, { 'Plumbline.a/b~c.state': 'succeeded' });
    const texts = attachments.map(({ type, name, recordId, content }) => [
      type,
      name,
      recordId,
      Buffer.from(content).toString(),
    ]);
    assert.deepEqual(texts.sort(), [
      ['Distributedtask.Core.Summary', 'Daily (load)', STEP, '# Daily'],
      ['plumbline-report', 'daily load.json', STEP, '{"a":"é"}'],
    ]);
  });

  it('replaces what it left before', async () => {
    const own = records();
    for (const text of ['first', 'second']) await own.attach('plumbline-report', 'a.json', bytes(text));
    await own.properties({ a: '1' });
    await own.properties({ a: '2' });
    const { attachments, properties } = job.azure.published();
    assert.deepEqual(
      attachments.map(({ content }) => Buffer.from(content).toString()),
      ['second'],
    );
    assert.deepEqual(properties, { a: '2' });
  });

  it('sends a megabyte, and asks nothing for nothing', async () => {
    const own = records();
    await own.tag([]);
    await own.properties({});
    assert.equal(job.azure.exchanges().length, 0);
    await own.attach('plumbline-lineage', 'big.jsonl', new Uint8Array(1_000_000).fill(65));
    assert.equal(job.azure.published().attachments[0]?.content.length, 1_000_000);
  });

  it("never takes 'not found' for success", async () => {
    await assert.rejects(
      records({ 'Build.BuildId': '43' }).tag(['a']),
      failure('ERR_PUBLISH_FAILED', /add tags to the build: Azure DevOps does not know this run \(404\)/),
    );
    await assert.rejects(
      records({ 'System.TaskInstanceId': JOB }).attach('t', 'n', bytes('x')),
      failure('ERR_PUBLISH_FAILED', /attach 'n'.*404/),
    );
  });

  it("says that the job's token is no longer accepted", async () => {
    const own = records();
    job.azure.endJob(JOB);
    await assert.rejects(own.tag(['a']), failure('ERR_PUBLISH_FAILED', /HTTP 401/, /job's own token/));
  });

  it('names the missing permission, and every missing variable', async () => {
    const faults = [{ host: 'dev.azure.com', path: '*tags*', kind: 'status', status: 403 }] as const;
    const other = await startJob(sampleDeclaration({ faults }));
    try {
      const { system, network } = agentJob(other);
      const own = azureDevOpsRecords({ system, network, variable: variablesOf(other), clock: impatient });
      await assert.rejects(own.tag(['a']), failure('ERR_PUBLISH_FAILED', /HTTP 403/, /Update build information/));
    } finally {
      await other.azure.close();
    }
    assert.throws(
      () => records({ 'System.PlanId': '', 'Build.BuildId': '$(Build.BuildId)' }),
      failure('ERR_PUBLISH_FAILED', /System\.PlanId, Build\.BuildId/),
    );
  });

  it('tries again on what may pass, also on a connection that breaks', async () => {
    const faults = [
      { host: 'dev.azure.com', method: 'POST', kind: 'status', status: 503, count: 1 },
      { host: 'dev.azure.com', method: 'POST', kind: 'reset', skip: 1, count: 1 },
      { host: 'dev.azure.com', method: 'OPTIONS', kind: 'status', status: 429, retryAfter: 1, count: 1 },
    ] as const;
    const other = await startJob(sampleDeclaration({ faults }));
    try {
      const { system, network } = agentJob(other);
      await azureDevOpsRecords({ system, network, variable: variablesOf(other), clock: impatient }).tag(['a']);
      assert.deepEqual(other.azure.published().tags, ['a']);
    } finally {
      await other.azure.close();
    }
  });

  it('reports a proxy that refuses and an authority that is not trusted, with the remedy for each', async () => {
    const agent = agentJob(job);
    const elsewhere = azureDevOpsRecords({
      system: { url: 'https://dev.azure.example/fabrikam/', accessToken: new Secret('t') },
      network: agent.network,
      variable: variablesOf(job),
    });
    await assert.rejects(elsewhere.tag(['a']), failure('ERR_PUBLISH_FAILED', /proxy answered 403/, /bypass list/));
    const { caFile: _, ...untrusting } = agent.network;
    const own = azureDevOpsRecords({ ...agent, network: untrusting, variable: variablesOf(job) });
    await assert.rejects(own.tag(['a']), failure('ERR_PUBLISH_FAILED', /certificate/, /--sslcacert/));
  });

  it("sends the job's token over https only", async () => {
    const agent = agentJob(job);
    const plain = { url: 'http://dev.azure.com/fabrikam/', accessToken: new Secret('t') };
    const own = azureDevOpsRecords({ system: plain, network: agent.network, variable: variablesOf(job) });
    await assert.rejects(own.tag(['a']), failure('ERR_IDENTITY_HOST_NOT_ALLOWED', /not on https/));
  });

  it('does not mark the build of an artifact from a release', async () => {
    const own = records({ 'System.HostType': 'release', 'System.OidcRequestUri': '' });
    await assert.rejects(own.tag(['a']), failure('ERR_PUBLISH_FAILED', /no build of its own/));
  });

  it("ends with the caller's own reason when aborted", async () => {
    const reason = new Error('cancelled');
    const agent = agentJob(job);
    const own = azureDevOpsRecords({ ...agent, variable: variablesOf(job), signal: AbortSignal.abort(reason) });
    await assert.rejects(own.tag(['a']), reason);
  });
});
