import assert from 'node:assert/strict';
import { PipelineFolder, type PipelineRun, TASK_NODE } from '../support/local-pipeline.ts';

const CANARIES = ['kanarie-airflow-7f3a91c2e5', 'kanarie-token-0c55e1d7aa'];

describe(`RunAirflow@1 before it has spoken to an Airflow, on Node ${TASK_NODE}`, function () {
  this.timeout(180_000);
  const folder = new PipelineFolder();
  let run: PipelineRun;
  before(async () => {
    run = await folder.run({
      file: 'test/fixtures/pipelines/run-airflow.yml',
      azure: 'test/fixtures/pipelines/run-airflow-azure.yml',
    });
  });
  after(() => folder.remove());

  const ORDER = ['refused', 'away'] as const;
  const step = (name: (typeof ORDER)[number]) => {
    const found = run.report.steps.filter(({ task }) => task === 'RunAirflow@1')[ORDER.indexOf(name)];
    assert.ok(found, `${name}\n${run.log}`);
    return found;
  };
  const issueOf = (name: (typeof ORDER)[number]) =>
    step(name).issues.find(({ type }) => type === 'error')?.message ?? '';

  it('tells all that is wrong with its inputs together, a secret variable in conf and note too', () => {
    const issue = issueOf('refused');
    assert.match(issue, /4 inputs are not usable/);
    for (const input of ['dagId', 'conf', 'note', 'keyVault'])
      assert.ok(issue.includes(`'${input}' is`), `${input}\n${issue}`);
    assert.match(issue, /'url' holds a secret of this job/);
  });

  it('says of an Airflow that is away that it is, and is not green', () => {
    assert.equal(step('away').result, 'SucceededWithIssues');
    assert.match(issueOf('away'), /http:\/\/127\.0\.0\.1:9.*ERR_(AIRFLOW|HTTP)_/s);
  });

  it('shows no secret anywhere', () => {
    for (const canary of CANARIES) {
      assert.ok(!run.log.includes(canary));
      assert.ok(!run.output.includes(canary));
      assert.ok(!JSON.stringify(run.report).includes(canary));
    }
  });
});
