import assert from 'node:assert/strict';
import type { PipelineReport } from '#local-pipeline/pipeline-report.ts';
import { PipelineFixture, stepOf } from './pipeline-fixture.ts';

describe('stages and jobs', () => {
  let fixture: PipelineFixture;
  beforeEach(() => {
    fixture = new PipelineFixture();
  });
  afterEach(() => fixture.remove());

  /** What the scripts printed after `SAY `, in order. */
  async function said(yaml: string, expected: PipelineReport['result'] = 'Succeeded'): Promise<string[]> {
    const report = await fixture.run(yaml);
    assert.equal(report.result, expected, fixture.log());
    return [...fixture.log().matchAll(/^\S+ SAY (.*)$/gm)].map(([, text]) => text ?? '');
  }

  it('variables: leg over job over stage over pipeline', async () => {
    const lines = await said(`
variables: { a: pipeline, b: pipeline, c: pipeline, d: pipeline }
stages:
- stage: S
  variables: { b: stage, c: stage, d: stage }
  jobs:
  - job: J
    variables: { c: job, d: job }
    strategy:
      matrix:
        one: { d: leg1 }
        two: { d: leg2 }
    steps:
    - script: echo "SAY $(a) $(b) $(c) $(d) $(System.JobName) $(System.JobPositionInPhase)/$(System.TotalJobsInPhase) $(Agent.JobName)"
`);
    assert.deepEqual(lines, ['pipeline stage job leg1 one 1/2 J one', 'pipeline stage job leg2 two 2/2 J two']);
  });

  it('output variables travel between jobs, legs, deployments and stages', async () => {
    const lines = await said(`
stages:
- stage: One
  jobs:
  - job: A
    steps:
    - bash: echo "##vso[task.setvariable variable=v;isOutput=true]from-A"
      name: set
  - job: M
    strategy: { matrix: { x: { n: 1 }, y: { n: 2 } } }
    steps:
    - bash: echo "##vso[task.setvariable variable=v;isOutput=true]leg-$(n)"
      name: set
  - deployment: D
    environment: production.web
    strategy:
      runOnce:
        deploy:
          steps:
          - bash: echo "##vso[task.setvariable variable=v;isOutput=true]$(Environment.Name)/$(Environment.ResourceName) $(System.PhaseName) $(System.JobName)"
            name: set
  - job: B
    dependsOn: [A, M, D]
    variables:
      a: $[ dependencies.A.outputs['set.v'] ]
      y: $[ dependencies.M.outputs['y.set.v'] ]
      d: $[ dependencies.D.outputs['D.set.v'] ]
      none: $[ dependencies.A.outputs['set.nope'] ]
    steps:
    - script: echo "SAY $(a) $(y) [$(d)] [$(none)]"
- stage: Two
  condition: and(succeeded(), eq(dependencies.One.outputs['A.set.v'], 'from-A'))
  jobs:
  - job: C
    variables:
      a: $[ stageDependencies.One.A.outputs['set.v'] ]
    steps:
    - script: echo "SAY two $(a)"
`);
    assert.deepEqual(lines, ['from-A leg-2 [production/web D Deploy] []', 'two from-A']);
  });

  it('dependencies first; a failure skips what depends on it, and failed() or always() run', async () => {
    const lines = await said(
      `
jobs:
- job: Late
  dependsOn: Early
  steps: [{ script: echo SAY late }]
- job: Early
  steps: [{ script: "echo SAY early; exit 1" }]
- job: OnFailure
  dependsOn: Late
  condition: failed()
  steps: [{ script: echo SAY failure }]
- job: Always
  dependsOn: Late
  condition: succeededOrFailed('Early')
  steps: [{ script: echo SAY always }]
- job: Independent
  steps: [{ script: echo SAY independent }]
`,
      'Failed',
    );
    assert.deepEqual(lines, ['early', 'failure', 'always', 'independent']);
  });

  it('a stage depends on the one before it unless it says otherwise', async () => {
    const lines = await said(
      `
stages:
- stage: A
  jobs: [{ job: J, steps: [{ script: "echo SAY A; exit 1" }] }]
- stage: B
  jobs: [{ job: J, steps: [{ script: echo SAY B }] }]
- stage: C
  dependsOn: []
  jobs: [{ job: J, steps: [{ script: echo SAY C }] }]
- stage: D
  dependsOn: [A]
  condition: eq(dependencies.A.result, 'Failed')
  jobs: [{ job: J, steps: [{ script: echo SAY D }] }]
`,
      'Failed',
    );
    assert.deepEqual(lines, ['A', 'C', 'D']);
  });

  it('continueOnError makes a failed step or job one with issues', async () => {
    assert.deepEqual(
      await said(
        'jobs:\n- job: A\n  continueOnError: true\n  steps: [{ script: exit 1 }]\n- job: B\n  dependsOn: A\n  steps: [{ script: echo SAY B }]',
        'SucceededWithIssues',
      ),
      ['B'],
    );
    assert.deepEqual(
      await said(
        'steps:\n- script: exit 1\n  continueOnError: true\n- script: echo SAY next $(Agent.JobStatus)',
        'SucceededWithIssues',
      ),
      ['next SucceededWithIssues'],
    );
  });

  it('a condition that cannot be evaluated fails its step', async () => {
    const report = await fixture.run("steps:\n- script: echo x\n  condition: gt(1, 'x')");
    assert.equal(stepOf(report, 'CmdLine').result, 'Failed');
    assert.match(stepOf(report, 'CmdLine').issues[0]?.message ?? '', /cannot be evaluated/);
  });

  it('a runtime expression that cannot be evaluated fails its job', async () => {
    const report = await fixture.run(
      'jobs:\n- job: A\n  variables: { x: "$[ nope.x ]" }\n  steps: [{ script: echo x }]\n- job: B\n  dependsOn: A\n  condition: failed()\n  steps: [{ script: echo B }]',
    );
    assert.equal(report.result, 'Failed');
    assert.deepEqual(
      report.steps.map(({ job }) => job),
      ['B', 'B'],
    );
  });

  it('conditions see variables that earlier steps have set', async () => {
    const lines = await said(
      "steps:\n- script: echo '##vso[task.setvariable variable=go]yes'\n- script: echo SAY went\n  condition: and(succeeded(), eq(variables.go, 'yes'))\n- script: echo SAY not\n  condition: eq(variables['go'], 'no')",
    );
    assert.deepEqual(lines, ['went']);
  });

  it('disabled steps do not exist', async () => {
    const report = await fixture.run('steps:\n- script: exit 1\n  enabled: false\n- script: echo fine');
    assert.deepEqual(
      report.steps.map(({ name }) => name),
      ['Checkout', 'CmdLine'],
    );
  });

  it('checkout: none and deployment jobs have an empty folder, self has the work tree', async () => {
    fixture.write('here.txt', 'x');
    const none = '- checkout: none\n    - script: echo "SAY $(ls | wc -l) $(Build.SourcesDirectory)"';
    const lines = await said(
      `jobs:\n- job: A\n  steps:\n    ${none}\n- job: B\n  steps:\n    - script: echo "SAY $(ls here.txt) $(Build.SourcesDirectory)"`,
    );
    assert.match(lines[0] ?? '', /^0 .*\/1\/s$/);
    assert.equal(lines[1], `here.txt ${fixture.repository}`);
  });

  it('a change that is not committed stays visible to git', async () => {
    fixture.write('a.txt', 'x');
    fixture.commit();
    fixture.write('a.txt', 'y');
    assert.deepEqual(await said('steps:\n- script: echo "SAY $(git status --porcelain a.txt)"'), [' M a.txt']);
  });

  it('the temporary folder is empty at the start of each job and gone at the end', async () => {
    const lines = await said(
      'jobs:\n- job: A\n  steps:\n  - script: echo x > $(Agent.TempDirectory)/left; echo "SAY $(Agent.TempDirectory)"\n- job: B\n  dependsOn: A\n  steps:\n  - script: ls $(Agent.TempDirectory) | grep -c left | sed "s/^/SAY /"',
    );
    assert.equal(lines[1], '0');
  });

  it('the build number follows the format', async () => {
    const [number, named] = await said(
      'name: v$(major)-$(Date:yyyy)$(Rev:.rr)-$(Build.Reason)\nvariables: { major: 3 }\nsteps:\n- script: echo "SAY $(Build.BuildNumber)"; echo "SAY $BUILD_BUILDNUMBER"',
    );
    assert.match(number ?? '', /^v3-20\d\d\.01-Manual$/);
    assert.equal(named, number);
  });

  it('variables given when the run is queued win over predefined ones and lose against the YAML', async () => {
    const yaml =
      'variables: { mine: yaml }\nsteps:\n- script: echo "SAY $(mine) $(other) $(Build.Reason) $(System.PullRequest.PullRequestId)"';
    await fixture.run(yaml, {
      variables: {
        mine: 'queue',
        other: 'queue',
        'Build.Reason': 'PullRequest',
        'System.PullRequest.PullRequestId': '7',
      },
    });
    assert.match(fixture.log(), /SAY yaml queue PullRequest 7/);
  });

  it('scripts: working directory, secrets only by env, standard error', async () => {
    fixture.write('sub/x', '');
    const yaml = `
steps:
- script: echo "SAY $(pwd) [$KEY] [$MAPPED]" | tr a-z A-Z | sed s/SAY/SAY/
  workingDirectory: sub
  env: { MAPPED: $(key) }
- bash: echo oops >&2
  failOnStderr: true
  displayName: strict
`;
    const report = await fixture.run(yaml, { secretVariables: { key: 'hunter2hunter2' } });
    assert.match(fixture.log(), /\/REPOSITORY\/SUB \[\] \[HUNTER2HUNTER2\]/);
    assert.equal(stepOf(report, 'strict').result, 'Failed');
  });
});
