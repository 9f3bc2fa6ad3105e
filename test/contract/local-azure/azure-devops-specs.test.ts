import assert from 'node:assert/strict';
import type { Incoming, Reply } from '#local-azure/exchange.ts';
import { type Call, callAzure } from '../../support/azure-client.ts';
import { AzureDevOpsSpecs, SPECS_PRESENT } from '../../support/azure-devops-specs.ts';
import {
  JOB,
  PLAN,
  REPOSITORY,
  STEP,
  type StartedJob,
  sampleDeclaration,
  startJob,
  TENANT,
  TIMELINE,
  WORKFLOW_CLIENT,
} from '../../support/local-azure.ts';

const NOT_SPECIFIED = [
  /^OPTIONS /,
  /\/_apis\/ResourceAreas$/i,
  /\/records\/[^/]+\/attachments\//,
  /GET .*\/plans\/[^/]+\/(timelines|attachments)/,
];

/** Where the specifications and Microsoft's own client disagree: all of it is about requests. */
const ODDITIES = [
  // A JSON patch is described as an object that is an array, and each of its values as an object.
  /PATCH .*\/properties: request body (\/0\/value )? ?must be object$/,
  // The client sends enumerations as numbers.
  /POST .*\/statuses: request body \/state must be equal to one of the allowed values$/,
];

describe('local Azure DevOps against Microsoft’s specifications', () => {
  const seen: { request: Incoming; reply: Reply }[] = [];
  let job: StartedJob;
  before(async function () {
    if (!SPECS_PRESENT) {
      console.log('      the specifications do not lie beside this checkout: this suite cannot run');
      this.skip();
    }
    job = await startJob(sampleDeclaration(), { observe: (request, reply) => void seen.push({ request, reply }) });
    const { url } = job.azure.organization;
    const project = job.azure.project.id;
    const devops = (area: string, method: string, ...args: unknown[]): Call => ({
      op: 'devops',
      url,
      accessToken: job.accessToken,
      area,
      method,
      args,
    });
    const token = (name: string): Call => ({
      op: 'token',
      tenant: TENANT,
      client: WORKFLOW_CLIENT,
      connection: job.connection(name),
      accessToken: job.accessToken,
    });
    const status = {
      state: 2,
      description: 'good',
      context: { name: 'luigi' },
      targetUrl: 'https://dev.azure.com/fabrikam/demo/_build/results?buildId=42',
    };
    const results = await callAzure(
      job.azure,
      [
        devops('Build', 'addBuildTags', ['a', 'b'], 'demo', 42),
        devops('Build', 'addBuildTag', 'demo', 42, 'c'),
        devops('Build', 'updateBuildTags', { tagsToAdd: ['d'], tagsToRemove: ['a'] }, project, 42),
        devops('Build', 'deleteBuildTag', 'demo', 42, 'b'),
        devops('Build', 'getBuildTags', 'demo', 42),
        devops('Build', 'updateBuildProperties', null, [{ op: 'add', path: '/x', value: '1' }], 'demo', 42),
        devops('Build', 'getBuildProperties', 'demo', 42),
        devops(
          'Task',
          'createAttachment',
          null,
          { stream: 'x' },
          project,
          'build',
          PLAN,
          TIMELINE,
          STEP,
          'plumbline',
          'report.json',
        ),
        devops('Task', 'getAttachments', project, 'build', PLAN, TIMELINE, STEP, 'plumbline'),
        devops('Task', 'getPlanAttachments', project, 'build', PLAN, 'plumbline'),
        devops('Task', 'getTimeline', project, 'build', PLAN, TIMELINE),
        devops('Task', 'getRecords', project, 'build', PLAN, TIMELINE),
        devops('Task', 'createOidcToken', {}, project, 'build', PLAN, JOB, job.connection('azure')),
        devops('Build', 'getAttachments', 'demo', 42, 'plumbline'),
        devops('Build', 'getAttachment', 'demo', 42, TIMELINE, STEP, 'plumbline', 'report.json'),
        devops('Build', 'getBuild', 'demo', 42),
        devops('Build', 'getBuilds', 'demo'),
        devops('Build', 'getBuildTimeline', 'demo', 42),
        devops('Build', 'getBuildTimeline', 'demo', 42, TIMELINE),
        devops('Git', 'createPullRequestStatus', status, REPOSITORY, 12, 'demo'),
        devops('Git', 'getPullRequestStatuses', REPOSITORY, 12, 'demo'),
        devops('Git', 'getPullRequestStatus', REPOSITORY, 12, 1, 'demo'),
        token('azure'),
        token('azure-old'),
      ],
      { env: { SYSTEM_OIDCREQUESTURI: job.oidcRequestUri } },
    );
    assert.deepEqual(
      results.filter(({ error }) => error !== undefined),
      [],
    );
  });
  after(() => job?.azure.close());

  const devOpsOnly = () => seen.filter(({ request }) => request.host === 'dev.azure.com');

  it('finds no fault in any exchange', () => {
    const specs = new AzureDevOpsSpecs();
    const findings = devOpsOnly().flatMap(({ request, reply }) => specs.check(request, reply).findings);
    assert.deepEqual(
      findings.filter((finding) => !ODDITIES.some((oddity) => oddity.test(finding))),
      [],
    );
  });

  it('meets every operation that is used, and leaves out only what no specification covers', () => {
    const specs = new AzureDevOpsSpecs();
    const checked = devOpsOnly().map(({ request, reply }) => ({
      name: `${request.method} ${request.url.pathname}`,
      ...specs.check(request, reply),
    }));
    const operations = new Set(checked.map(({ operationId }) => operationId));
    operations.delete(undefined);
    assert.deepEqual([...operations].sort(), [
      'Attachments_Get',
      'Attachments_List',
      'Builds_Get',
      'Builds_List',
      'Oidctoken_Create',
      'Properties_Get Build Properties',
      'Properties_Update Build Properties',
      'Pull Request Statuses_Create',
      'Pull Request Statuses_Get',
      'Pull Request Statuses_List',
      'Tags_Add Build Tag',
      'Tags_Add Build Tags',
      'Tags_Delete Build Tag',
      'Tags_Get Build Tags',
      'Tags_Update Build Tags',
      'Timeline_Get',
    ]);
    const uncovered = checked.filter(({ operationId }) => operationId === undefined).map(({ name }) => name);
    assert.deepEqual(
      uncovered.filter((name) => !NOT_SPECIFIED.some((pattern) => pattern.test(name))),
      [],
    );
  });

  it('would notice a wrong answer', () => {
    const specs = new AzureDevOpsSpecs();
    const build = devOpsOnly().find(({ request }) => request.url.pathname.endsWith('/builds/42'));
    assert.ok(build);
    const wrong = {
      ...build.reply,
      body: { ...(build.reply.body as object), result: 'winning', id: '42', colour: 'red' },
    };
    const findings = specs.check(build.request, wrong).findings.join('\n');
    assert.match(findings, /\/result must be equal to one of the allowed values/);
    assert.match(findings, /\/id must be integer/);
    assert.match(findings, /unknown field colour/);
  });
});
