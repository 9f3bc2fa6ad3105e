import assert from 'node:assert/strict';
import { answered, type Call, type CallResult, callAzure, TASK_NODES } from '../../support/azure-client.ts';
import {
  JOB,
  PLAN,
  REPOSITORY,
  STEP,
  type StartedJob,
  sampleDeclaration,
  startJob,
  TIMELINE,
} from '../../support/local-azure.ts';

const UNKNOWN = 'b0000000-0000-4000-8000-000000000009';

const ADDRESSES = ['dev.azure.com', 'visualstudio.com'] as const;

for (const [i, node] of TASK_NODES.entries()) {
  const address = ADDRESSES[i % ADDRESSES.length] ?? 'dev.azure.com';
  describe(`local Azure DevOps at ${address}, called by azure-devops-node-api on ${node.name}`, () => {
    let job: StartedJob;
    let project: string;
    beforeEach(async () => {
      job = await startJob(sampleDeclaration({ organization: { name: 'fabrikam', address } }));
      project = job.azure.project.id;
    });
    afterEach(() => job.azure.close());

    const devops = (area: string, method: string, ...args: unknown[]): Call => ({
      op: 'devops',
      url: job.azure.organization.url,
      accessToken: job.accessToken,
      area,
      method,
      args,
    });
    const ask = (...calls: Call[]): Promise<CallResult[]> => callAzure(job.azure, calls, { node: node.path });
    const attach = (name: string, record = STEP, plan = PLAN): Call =>
      devops(
        'Task',
        'createAttachment',
        null,
        { stream: `body of ${name}` },
        project,
        'build',
        plan,
        TIMELINE,
        record,
        'plumbline',
        name,
      );

    it('publishes tags, properties and attachments and gives them back', async () => {
      const results = await ask(
        devops('Build', 'addBuildTags', ['luigi', 'grün/blau'], 'demo', 42),
        devops('Build', 'updateBuildTags', { tagsToAdd: ['more'], tagsToRemove: ['luigi'] }, project, 42),
        devops(
          'Build',
          'updateBuildProperties',
          null,
          [{ op: 'add', path: '/Plumbline.RunId', value: 'r1' }],
          'demo',
          42,
        ),
        devops('Build', 'getBuildProperties', 'demo', 42),
        attach('report one.json'),
        devops('Build', 'getAttachments', 'demo', 42, 'plumbline'),
        devops('Build', 'getAttachment', 'demo', 42, TIMELINE, STEP, 'plumbline', 'report one.json'),
      );
      assert.deepEqual(
        results.filter(({ error }) => error),
        [],
      );
      assert.deepEqual(results[1]?.ok, ['grün/blau', 'more']);
      assert.deepEqual(results[3]?.ok, {
        count: 1,
        value: { 'Plumbline.RunId': { $type: 'System.String', $value: 'r1' } },
      });
      const [listed] = answered<{ name: string; _links: { self: { href: string } } }[]>(results[5]);
      assert.equal(listed?.name, 'report one.json');
      assert.ok(
        listed?._links.self.href.endsWith(`/builds/42/${TIMELINE}/${STEP}/attachments/plumbline/report%20one.json`),
      );
      assert.equal(results[6]?.ok, 'body of report one.json');
      const { tags, properties, attachments } = job.azure.published();
      assert.deepEqual([tags, properties], [['grün/blau', 'more'], { 'Plumbline.RunId': 'r1' }]);
      assert.deepEqual(
        attachments.map(({ content, ...rest }) => ({ ...rest, text: Buffer.from(content).toString() })),
        [{ type: 'plumbline', name: 'report one.json', recordId: STEP, text: 'body of report one.json' }],
      );
    });

    it('shows the build and its timeline as announced', async () => {
      const [build, timeline] = await ask(
        devops('Build', 'getBuild', 'demo', 42),
        devops('Build', 'getBuildTimeline', 'demo', 42),
      );
      const { buildNumber, reason, status, repository } = answered(build);
      assert.deepEqual(
        [buildNumber, reason, status, (repository as { id: string }).id],
        ['20261121.1', 256, 1, REPOSITORY],
      );
      type Entry = { id: string; parentId: string | null; type: string; state: number };
      const { id, records } = answered<{ id: string; records: Entry[] }>(timeline);
      assert.equal(id, TIMELINE);
      assert.deepEqual(
        records.map(({ id, parentId, type, state }) => [id, parentId, type, state]),
        [
          [JOB, null, 'Job', 1],
          [STEP, JOB, 'Task', 1],
        ],
      );
    });

    it('takes statuses for the pull request that the run builds and for no other', async () => {
      const status = { state: 2, description: 'all good', context: { name: 'luigi', genre: 'plumbline' } };
      const [good, other, list] = await ask(
        devops('Git', 'createPullRequestStatus', status, REPOSITORY, 12, 'demo'),
        devops('Git', 'createPullRequestStatus', status, REPOSITORY, 13, 'demo'),
        devops('Git', 'getPullRequestStatuses', 'data', 12, 'demo'),
      );
      assert.equal(answered<{ state: number }>(good).state, 2);
      assert.equal(other?.ok, null, 'the client takes 404 for nothing');
      assert.equal(answered<unknown[]>(list).length, 1);
      assert.deepEqual(
        job.azure.published().statuses.map(({ state, context }) => [state, context.name]),
        [['succeeded', 'luigi']],
      );
    });

    it('refuses what was never announced', async () => {
      const results = await ask(
        attach('a', UNKNOWN),
        attach('a', JOB),
        attach('a', STEP, UNKNOWN),
        attach('a:b'),
        devops('Build', 'getBuild', 'demo', 43),
        devops('Build', 'getBuild', 'other', 42),
      );
      const refused = job.azure
        .exchanges()
        .filter(({ status }) => status >= 400)
        .map(({ status }) => status);
      assert.deepEqual(refused, [404, 404, 404, 400, 404, 404]);
      assert.deepEqual(
        results.map(({ ok, error }) => error?.status ?? ok),
        [null, null, null, 400, null, null],
      );
      assert.deepEqual(job.azure.published().attachments, []);
    });

    it('gives ID tokens to createOidcToken', async () => {
      const token = (connection?: string) =>
        devops('Task', 'createOidcToken', {}, project, 'build', PLAN, JOB, connection);
      const [named, unknown] = await ask(token(job.connection('azure')), token(UNKNOWN));
      assert.match(answered<{ oidcToken: string }>(named).oidcToken, /^eyJ/);
      assert.equal(unknown?.error?.status, 400);
    });

    it('is closed to the token of a job that ended', async () => {
      job.azure.endJob(JOB);
      const [result] = await ask(devops('Build', 'addBuildTags', ['late'], 'demo', 42));
      assert.ok(result?.error);
      assert.deepEqual(job.azure.published().tags, []);
    });
  });
}
