import assert from 'node:assert/strict';
import type { PipelineEvent } from '#local-pipeline/pipeline-listener.ts';
import type { PipelineReport } from '#local-pipeline/pipeline-report.ts';
import { type FixtureTask, PipelineFixture, stepOf } from './pipeline-fixture.ts';

const POST = { postjobexecution: { Node24: { target: 'post.js' } } };

/** Waits for ever; says what it gets, and leaves when the signal of that name comes. */
function waits(leavesOn: string): FixtureTask {
  const source = `
    for (const name of ['SIGINT', 'SIGTERM']) process.on(name, () => { console.log('got', name); if (name === '${leavesOn}') { console.log('##vso[task.complete result=Succeeded]'); process.exit(0); } });
    console.log('ready', process.pid);
    setInterval(() => {}, 1000);`;
  return { json: POST, files: { 'index.js': source, 'post.js': "console.log('post', process.env.AGENT_JOBSTATUS)" } };
}

function issuesOf(report: PipelineReport): string {
  return report.steps.flatMap(({ issues }) => issues.map(({ message }) => message)).join('\n');
}

describe('cancel', () => {
  let fixture: PipelineFixture;
  beforeEach(() => {
    fixture = new PipelineFixture();
  });
  afterEach(() => fixture.remove());

  /** Cancels the run when a line with the text appears. */
  function cancelAt(text: string): { cancelled: AbortSignal; listener: (event: PipelineEvent) => void } {
    const controller = new AbortController();
    const listener = (event: PipelineEvent) => {
      if (event.kind === 'line' && event.text.includes(text)) controller.abort();
    };
    return { cancelled: controller.signal, listener };
  }

  it('SIGINT comes first; whatever the task says then, the step is cancelled; post-job and always() steps run', async () => {
    const yaml = `
steps:
- task: Wait@1
- script: echo never
- script: echo "status $(Agent.JobStatus)"
  displayName: last
  condition: always()
- script: echo cancelled
  displayName: cancelled
  condition: canceled()
`;
    const report = await fixture.run(yaml, { vsix: fixture.vsix({ Wait: waits('SIGINT') }), ...cancelAt('ready') });
    assert.equal(report.result, 'Canceled');
    assert.deepEqual(
      report.steps.map(({ name, result }) => `${name} ${result}`),
      [
        'Checkout Succeeded',
        'Wait Canceled',
        'CmdLine Skipped',
        'last Succeeded',
        'cancelled Succeeded',
        'Post-job: Wait Succeeded',
      ],
    );
    assert.match(fixture.log(), /got SIGINT[\s\S]*status Canceled[\s\S]*post Canceled/);
    assert.ok(!fixture.log().includes('got SIGTERM'));
  });

  it('SIGTERM and SIGKILL follow after their times', async () => {
    const variables = { PROCESS_SIGINT_TIMEOUT: '300', PROCESS_SIGTERM_TIMEOUT: '300' };
    const report = await fixture.run('steps:\n- task: Wait@1', {
      vsix: fixture.vsix({ Wait: waits('never') }),
      variables,
      ...cancelAt('ready'),
    });
    assert.match(fixture.log(), /got SIGINT[\s\S]*got SIGTERM/);
    const { result, durationMs } = stepOf(report, 'Wait');
    assert.equal(result, 'Canceled');
    assert.ok(durationMs >= 600, String(durationMs));
  });

  it('without knobs the times are those of the agent: 7.5 s, then 2.5 s', async () => {
    const report = await fixture.run('steps:\n- task: Wait@1', {
      vsix: fixture.vsix({ Wait: waits('SIGTERM') }),
      ...cancelAt('ready'),
    });
    const { durationMs } = stepOf(report, 'Wait');
    assert.ok(durationMs >= 7_500 && durationMs < 9_900, String(durationMs));
  }).timeout(30_000);

  it('a step whose condition still holds goes on', async () => {
    const source = "console.log('ready'); setTimeout(() => console.log('finished'), 300)";
    const vsix = fixture.vsix({ Steady: { files: { 'index.js': source } } });
    const report = await fixture.run('steps:\n- task: Steady@1\n  condition: always()', { vsix, ...cancelAt('ready') });
    assert.equal(stepOf(report, 'Steady').result, 'Succeeded');
    assert.equal(report.result, 'Canceled');
    assert.match(fixture.log(), /finished/);
  });

  it('only the task itself gets the signal; what it leaves behind is ended with the job', async () => {
    const source = `
      const child = require('child_process').spawn('sleep', ['600'], { stdio: 'ignore', detached: true });
      child.unref();
      console.log('ready child=' + child.pid);
      setInterval(() => {}, 1000);`;
    const vsix = fixture.vsix({ Leave: { files: { 'index.js': source } } });
    const report = await fixture.run('steps:\n- task: Leave@1', { vsix, ...cancelAt('ready') });
    assert.equal(report.result, 'Canceled');
    const child = /child=(\d+)/.exec(fixture.log())?.[1];
    if (process.platform === 'linux')
      assert.ok(fixture.log().includes(`Terminate orphan process: pid (${child}) (sleep)`));
  });

  it('jobs that come later are cancelled unless their condition holds', async () => {
    const yaml = `
jobs:
- job: A
  steps: [{ task: Wait@1 }]
- job: B
  dependsOn: A
  steps: [{ script: echo B }]
- job: C
  dependsOn: A
  condition: always()
  steps: [{ script: echo C ran }]
`;
    const report = await fixture.run(yaml, { vsix: fixture.vsix({ Wait: waits('SIGINT') }), ...cancelAt('ready') });
    assert.deepEqual([...new Set(report.steps.map(({ job }) => job))], ['A', 'C']);
    assert.match(fixture.log(), /C ran/);
    assert.equal(report.result, 'Canceled');
  });

  it('stopping ends even what always() keeps, and nothing more runs', async () => {
    const stop = new AbortController();
    const listener = (event: PipelineEvent) => {
      if (event.kind === 'line' && event.text.includes('ready')) stop.abort();
    };
    const yaml = 'steps:\n- task: Wait@1\n  condition: always()\n- script: echo no more\n  condition: always()';
    const vsix = fixture.vsix({ Wait: { ...waits('SIGINT'), json: {} } });
    const report = await fixture.run(yaml, { vsix, cancelled: stop.signal, stopped: stop.signal, listener });
    assert.deepEqual(
      report.steps.map(({ result }) => result),
      ['Succeeded', 'Canceled', 'Skipped'],
    );
  });

  it('a step that runs out of time fails, a job that runs out of time is cancelled', async () => {
    const vsix = fixture.vsix({ Wait: waits('SIGINT') });
    // The smallest time limit is a minute: on this clock it passes as soon as the task is ready.
    let ready = new AbortController();
    const listener = (event: PipelineEvent) => {
      if (event.kind === 'line' && event.text.includes('ready')) ready.abort();
    };
    const minute = () =>
      new Promise<void>((resolve) => ready.signal.addEventListener('abort', () => resolve(), { once: true }));
    const clock = {
      now: () => Date.now(),
      sleep: (ms: number) => (ms === 60_000 ? minute() : new Promise<void>(() => {})),
    };
    const step = await fixture.run('steps:\n- task: Wait@1\n  timeoutInMinutes: 1', { vsix, clock, listener });
    assert.equal(step.result, 'Failed');
    assert.match(issuesOf(step), /The task has timed out/);
    ready = new AbortController();
    const job = await fixture.run('jobs:\n- job: A\n  timeoutInMinutes: 1\n  steps:\n  - task: Wait@1', {
      vsix,
      clock,
      listener,
    });
    assert.equal(stepOf(job, 'Wait').result, 'Canceled');
    assert.equal(job.result, 'Canceled');
  });
});
