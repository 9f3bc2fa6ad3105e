import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Provenance } from '#core/provenance.ts';
import type { RunOutcome } from '#core/run.ts';
import { describeLineage, type Lineage } from '#lineage/describe-lineage.ts';
import type { RunEvent } from '#lineage/open-lineage.ts';
import { arbitraryOutcome, arbitraryProvenance } from '../../support/arbitrary-run.ts';
import { failedRun, file, SAMPLE_START, sampleProvenance, sampleTask, succeededRun } from '../../support/sample-run.ts';

const options = { runId: 'fabrikam/Shop/4711/load/luigi/daily', workflow: 'DailyReport', producerVersion: '0.1.0' };

function lineageOf(outcome: RunOutcome, provenance: Provenance = sampleProvenance()): Lineage {
  return describeLineage(outcome, provenance, options);
}

function ended(lineage: Lineage, job: string): RunEvent {
  const event = lineage.events.find(({ eventType, job: { name } }) => eventType !== 'START' && name === job);
  assert.ok(event, job);
  return event;
}

const STEP = 'shop-nightly.load.luigi.daily';

describe('describeLineage', () => {
  it('tells step, workflow and each task that ran, and no task that did not', () => {
    const events = lineageOf(failedRun()).events.map(({ eventType, job }) => `${eventType} ${job.name}`);
    assert.deepEqual(events, [
      `START ${STEP}`,
      'START DailyReport',
      'START DailyReport.Refunds',
      'START DailyReport.Orders',
      'FAIL DailyReport.Refunds',
      'COMPLETE DailyReport.Orders',
      'FAIL DailyReport',
      `FAIL ${STEP}`,
    ]);
  });

  it('links each run to its parent and to the step as root', () => {
    const lineage = lineageOf(succeededRun());
    const namespace = 'azure-devops://fabrikam/Shop';
    const root = { run: { runId: lineage.stepRunId }, job: { namespace, name: STEP } };
    const parentOf = (job: string) => {
      const { _producer, _schemaURL, ...fields } = ended(lineage, job).run.facets['parent'] ?? {};
      return fields;
    };
    assert.deepEqual(parentOf('DailyReport'), { ...root, root });
    const workflow = { run: { runId: lineage.workflowRunId }, job: { namespace, name: 'DailyReport' } };
    assert.deepEqual(parentOf('DailyReport.Orders'), { ...workflow, root });
    assert.equal(ended(lineage, STEP).run.facets['parent'], undefined);
  });

  it('claims as output of the run only what this run wrote, and as input only what it did not', () => {
    const { inputs, outputs } = ended(lineageOf(succeededRun()), 'DailyReport');
    assert.deepEqual(inputs, [{ namespace: 'file', name: '/data/landing/orders.csv' }]);
    assert.deepEqual(outputs, [
      { namespace: 'file', name: '/data/report.csv' },
      { namespace: 's3://shop', name: 'orders/2026-11-20.parquet' },
    ]);
  });

  it('claims no output of a task that failed, and none before a run has ended', () => {
    const lineage = lineageOf(failedRun());
    assert.deepEqual(ended(lineage, 'DailyReport.Refunds').outputs, []);
    assert.deepEqual(ended(lineage, 'DailyReport').outputs, [
      { namespace: 's3://shop', name: 'orders/2026-11-20.parquet' },
    ]);
    for (const event of lineage.events) if (event.eventType === 'START') assert.deepEqual(event.outputs, []);
  });

  it('says that nothing was written when everything was already complete', () => {
    const tasks = succeededRun().tasks.map((task) => ({ ...task, state: 'complete' as const, startedAt: undefined }));
    const lineage = lineageOf({ ...succeededRun(), tasks });
    assert.equal(lineage.events.length, 4);
    assert.deepEqual(ended(lineage, 'DailyReport').outputs, []);
    assert.equal(ended(lineage, 'DailyReport').eventType, 'COMPLETE');
  });

  const ends: readonly [RunOutcome['state'], string][] = [
    ['succeeded', 'COMPLETE'],
    ['failed', 'FAIL'],
    ['cancelled', 'ABORT'],
    ['deadline', 'ABORT'],
    ['lost', 'ABORT'],
  ];
  for (const [state, expected] of ends) {
    it(`ends a run that is ${state} with ${expected} and keeps the state in the facet`, () => {
      const event = ended(lineageOf({ ...failedRun(), state }), 'DailyReport');
      assert.equal(event.eventType, expected);
      assert.deepEqual(event.run.facets['azureDevOps_pipeline']?.['outcome'], {
        state,
        verified: 'refuted',
        adopted: false,
      });
      assert.equal('errorMessage' in event.run.facets, state !== 'succeeded');
    });
  }

  it('ends a task that was started and never seen to end with ABORT, when its run ended', () => {
    const task = sampleTask('Slow_aa', { state: 'running', endedAt: undefined, outputs: [file('/data/slow')] });
    const event = ended(lineageOf({ ...failedRun(), state: 'lost', tasks: [task] }), 'DailyReport.Slow');
    assert.equal(event.eventType, 'ABORT');
    assert.equal(event.eventTime, new Date(SAMPLE_START + 185_000).toISOString());
    assert.deepEqual(event.outputs, []);
  });

  it('carries the exception and its traceback', () => {
    const facet = ended(lineageOf(failedRun()), 'DailyReport.Refunds').run.facets['errorMessage'];
    assert.equal(facet?.['message'], "ValueError: refund of order '4711' is larger than the order");
    assert.match(String(facet?.['stackTrace']), /refunds\.py", line 17, in check/);
  });

  it('points to the merge commit that ran and keeps the commit of the pull request', () => {
    const event = ended(lineageOf(succeededRun(), sampleProvenance('pull-request-azure-repos')), 'DailyReport');
    const { _producer, _schemaURL, ...location } = event.job.facets['sourceCodeLocation'] ?? {};
    assert.deepEqual(JSON.parse(JSON.stringify(location)), {
      type: 'git',
      url: 'https://dev.azure.com/fabrikam/Shop/_git/shop-data/commit/0f3a1f5e7c2b4d6880aa11bb22cc33dd44ee55ff',
      repoUrl: 'https://dev.azure.com/fabrikam/Shop/_git/shop-data',
      version: '0f3a1f5e7c2b4d6880aa11bb22cc33dd44ee55ff',
      branch: 'feature/refunds',
      pullRequestNumber: '42',
    });
    const source = event.run.facets['azureDevOps_pipeline']?.['source'] as { pullRequest: { sourceCommit: string } };
    assert.equal(source.pullRequest.sourceCommit, '7a7a7a7a0c0c0c0c1d1d1d1d2e2e2e2e3f3f3f3f');
  });

  it('has the page of a GitHub commit', () => {
    const event = ended(lineageOf(succeededRun(), sampleProvenance('pull-request-github-fork')), 'DailyReport');
    const expected = 'https://github.com/fabrikam/shop-data/commit/8f8e8d8c8b8a89888786858483828180aabbccdd';
    assert.equal(event.job.facets['sourceCodeLocation']?.['url'], expected);
    assert.equal(event.job.facets['sourceCodeLocation']?.['pullRequestNumber'], '1234');
  });

  it('tells the person by id only, unless the name is asked for', () => {
    const provenance = sampleProvenance();
    assert.doesNotMatch(JSON.stringify(lineageOf(succeededRun(), provenance)), /Mateo/);
    const named = describeLineage(succeededRun(), provenance, { ...options, withPersonName: true });
    assert.match(JSON.stringify(named), /"requestedForName":"Mateo Escobedo"/);
  });

  it('gives the same ids and events again, and others to a new run, attempt or pipeline run', () => {
    const provenance = sampleProvenance();
    const first = lineageOf(succeededRun());
    assert.deepEqual(lineageOf(succeededRun()), first);

    const again = describeLineage(succeededRun(), provenance, { ...options, runId: `${options.runId}~2` });
    assert.notEqual(again.workflowRunId, first.workflowRunId);
    assert.notEqual(again.stepRunId, first.stepRunId);

    const attempt = lineageOf(succeededRun(), { ...provenance, job: { ...provenance.job, attempt: 2 } });
    assert.equal(attempt.workflowRunId, first.workflowRunId);
    assert.notEqual(attempt.stepRunId, first.stepRunId);

    const other = lineageOf(succeededRun(), { ...provenance, run: { ...provenance.run, id: '4712' } });
    assert.notEqual(other.workflowRunId, first.workflowRunId);
  });

  it('keeps dots of a name out of the segments of a job', () => {
    const tasks = [sampleTask('a', { family: 'sales.DailyReport' })];
    const outcome = { ...succeededRun(), rootTaskId: 'a', tasks };
    const provenance = sampleProvenance();
    const dotted = { ...provenance, pipeline: { ...provenance.pipeline, name: 'shop.nightly' } };
    const names = new Set(lineageOf(outcome, dotted).events.map(({ job }) => job.name));
    assert.deepEqual(
      [...names],
      ['shop/nightly.load.luigi.daily', 'sales/DailyReport', 'sales/DailyReport.sales/DailyReport'],
    );
  });

  it('keeps the promises of a run cycle for any outcome', () => {
    fc.assert(
      fc.property(arbitraryOutcome, arbitraryProvenance, (outcome, provenance) => {
        const { events } = lineageOf(outcome, provenance);
        const cycle = new RunCycle();
        for (const event of events) cycle.accept(event);
        assert.deepEqual(cycle.over, cycle.started);
      }),
    );
  });

  it('describes 20,000 tasks that read what others wrote', () => {
    const tasks = Array.from({ length: 20_000 }, (_, index) =>
      sampleTask(`T_${index}`, { inputs: [file(`/${index - 1}`)], outputs: [file(`/${index}`)] }),
    );
    const lineage = lineageOf({ ...succeededRun(), tasks });
    assert.equal(lineage.events.length, 40_004);
    assert.deepEqual(ended(lineage, 'DailyReport').inputs, [{ namespace: 'file', name: '/-1' }]);
    assert.equal(ended(lineage, 'DailyReport').outputs.length, 2_000);
    assert.equal(lineage.omittedDatasets, 18_000);
  });
});

/** Checks what OpenLineage asks of the events of a run, and that a child lives inside its parent. */
class RunCycle {
  readonly started = new Set<string>();
  readonly over = new Set<string>();
  #time = '';

  accept({ eventType, eventTime, run }: RunEvent): void {
    assert.ok(eventTime >= this.#time, `${eventTime} after ${this.#time}`);
    this.#time = eventTime;
    assert.ok(!this.over.has(run.runId), 'an event after the terminal one');
    assert.equal(this.started.has(run.runId), eventType !== 'START', 'START once, and first');
    const parent = run.facets['parent'] as { readonly run: { readonly runId: string } } | undefined;
    if (parent) assert.ok(this.started.has(parent.run.runId) && !this.over.has(parent.run.runId), 'outside its parent');
    (eventType === 'START' ? this.started : this.over).add(run.runId);
  }
}
