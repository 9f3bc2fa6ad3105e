import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { FixtureTask } from './pipeline-fixture.ts';
import { PipelineFixture, stepOf } from './pipeline-fixture.ts';

/** Writes its environment to the file that `DUMP` names. */
const DUMP: FixtureTask = {
  json: {
    inputs: [
      { name: 'text', type: 'string', label: 'Text', defaultValue: ' fallback ', aliases: ['words'] },
      { name: 'service', type: 'connectedService:AzureRM', label: 'Service' },
      { name: 'place', type: 'filePath', label: 'Place' },
    ],
    outputVariables: [{ name: 'declared' }],
  },
  files: {
    'index.js':
      "require('fs').writeFileSync(process.env.DUMP, JSON.stringify({ env: process.env, node: process.version, cwd: process.cwd(), argv: process.argv }));",
  },
};

const SAY: FixtureTask = {
  json: { inputs: [{ name: 'say', type: 'multiLine', label: 'Say' }] },
  files: { 'index.js': 'process.stdout.write(process.env.INPUT_SAY + "\\n")' },
};

interface Dump {
  readonly env: Readonly<Record<string, string>>;
  readonly node: string;
  readonly cwd: string;
}

async function withEnvironment<Result>(
  values: Readonly<Record<string, string>>,
  act: () => Promise<Result>,
): Promise<Result> {
  const before = Object.keys(values).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, values);
  try {
    return await act();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

describe('tasks of an extension', () => {
  let fixture: PipelineFixture;
  beforeEach(() => {
    fixture = new PipelineFixture();
  });
  afterEach(() => fixture.remove());

  async function dump(yaml: string, options: Parameters<PipelineFixture['run']>[1] = {}): Promise<Dump> {
    const file = path.join(fixture.root, 'dump.json');
    const report = await fixture.run(yaml, {
      vsix: fixture.vsix({ Dump: DUMP }),
      variables: { DUMP: file, ...options.variables },
      ...options,
    });
    assert.equal(report.result, 'Succeeded', JSON.stringify(report.steps));
    return JSON.parse(readFileSync(file, 'utf8')) as Dump;
  }

  it('get variables, inputs and the job connection under the names that the agent uses', async () => {
    const commit = fixture.commit();
    const { env, cwd } = await dump(`
variables: { my.var: a, other: $(my.var)b }
stages:
- stage: Build
  displayName: Building
  jobs:
  - job: Make
    steps:
    - task: Dump@1
      name: dumped
      displayName: Dumping
      inputs: { words: " $(other) $(unknown) ", place: sub/file.txt, Extra: kept }
      env: { OWN: "$(my.var)!" }
`);
    const expected: Readonly<Record<string, string>> = {
      INPUT_TEXT: 'ab $(unknown)',
      INPUT_PLACE: path.join(fixture.repository, 'sub/file.txt'),
      INPUT_SERVICE: '',
      INPUT_EXTRA: 'kept',
      OWN: 'a!',
      MY_VAR: 'a',
      OTHER: 'ab',
      TF_BUILD: 'True',
      'agent.jobstatus': 'Succeeded',
      AGENT_JOBSTATUS: 'Succeeded',
      BUILD_SOURCEVERSION: commit,
      BUILD_SOURCEBRANCH: 'refs/heads/main',
      BUILD_SOURCESDIRECTORY: fixture.repository,
      SYSTEM_HOSTTYPE: 'build',
      SYSTEM_STAGENAME: 'Build',
      SYSTEM_STAGEDISPLAYNAME: 'Building',
      SYSTEM_STAGEATTEMPT: '1',
      SYSTEM_PHASENAME: 'Make',
      SYSTEM_JOBNAME: '__default',
      SYSTEM_JOBIDENTIFIER: 'Build.Make.__default',
      SYSTEM_JOBATTEMPT: '1',
      SYSTEM_TASKINSTANCENAME: 'dumped',
      SYSTEM_TASKDISPLAYNAME: 'Dumping',
      ENDPOINT_AUTH_SCHEME_SYSTEMVSSCONNECTION: 'OAuth',
    };
    for (const [name, value] of Object.entries(expected)) assert.equal(env[name], value, name);
    assert.equal(cwd, fixture.repository);
    const [openNames, secretNames] = [env['VSTS_PUBLIC_VARIABLES'] ?? '', env['VSTS_SECRET_VARIABLES'] ?? ''].map(
      (text) => JSON.parse(text) as string[],
    );
    assert.ok(openNames?.includes('my.var') && openNames.includes('System.TaskInstanceId'));
    assert.deepEqual(secretNames, ['System.AccessToken']);
    assert.ok(env['SECRET_SYSTEM_ACCESSTOKEN']);
    assert.equal(env['SYSTEM_ACCESSTOKEN'], undefined);
    assert.deepEqual(JSON.parse(env['ENDPOINT_AUTH_SYSTEMVSSCONNECTION'] ?? ''), {
      parameters: { AccessToken: env['SECRET_SYSTEM_ACCESSTOKEN'] },
      scheme: 'OAuth',
    });
    assert.equal(env['ENDPOINT_DATA_SYSTEMVSSCONNECTION'], undefined);
  });

  it('get a default input trimmed, and an empty file path becomes the default folder', async () => {
    const { env } = await dump('steps:\n- task: Dump@1');
    assert.equal(env['INPUT_TEXT'], 'fallback');
    assert.equal(env['INPUT_PLACE'], fixture.repository);
  });

  it('inherit neither a proxy nor Node options from whoever started the run', async () => {
    const names = ['HTTPS_PROXY', 'HTTP_PROXY', 'NODE_EXTRA_CA_CERTS', 'NODE_OPTIONS', 'NODE_USE_ENV_PROXY'];
    const { env } = await withEnvironment(Object.fromEntries(names.map((name) => [name, '--no-warnings'])), () =>
      dump('steps:\n- task: Dump@1'),
    );
    for (const name of names) assert.equal(env[name], undefined, name);
  });

  it('run on Node 24, or on Node 20 when it is forced', async () => {
    assert.match((await dump('steps:\n- task: Dump@1')).node, /^v24\./);
    assert.match((await dump('steps:\n- task: Dump@1', { node: 20 })).node, /^v20\./);
  });

  it('with only a Node20_1 handler run on Node 20', async () => {
    const vsix = fixture.vsix({
      Old: {
        json: { execution: { Node20_1: { target: 'index.js' } } },
        files: { 'index.js': 'console.log(process.version)' },
      },
    });
    await fixture.run('steps:\n- task: Old@1', { vsix });
    assert.match(fixture.log(), / v20\./);
  });

  it('see secret variables under SECRET_ only', async () => {
    const { env } = await dump('steps:\n- task: Dump@1', { secretVariables: { 'Api.Key': 'hunter2hunter2' } });
    assert.equal(env['SECRET_API_KEY'], 'hunter2hunter2');
    assert.equal(env['API_KEY'], undefined);
    assert.ok(!fixture.log().includes('hunter2hunter2'));
  });

  it('keep task variables from the main to the post-job stage, and others do not see them', async () => {
    const stages = {
      prejobexecution: { Node24: { target: 'pre.js' } },
      postjobexecution: { Node24: { target: 'post.js' } },
    };
    const shows = (stage: string) =>
      `console.log('${stage}', process.env.VSTS_TASKVARIABLE_RUN, process.env.AGENT_JOBSTATUS)`;
    const files = {
      'pre.js': shows('pre'),
      'index.js':
        "console.log('##vso[task.settaskvariable variable=run]r' + process.env.SYSTEM_TASKINSTANCENAME); process.exit(3)",
      'post.js': shows('post'),
    };
    const vsix = fixture.vsix({ Staged: { json: stages, files } });
    const report = await fixture.run('steps:\n- task: Staged@1\n  name: one\n- task: Staged@1\n  name: two', { vsix });
    assert.equal(report.result, 'Failed');
    assert.deepEqual(
      report.steps.map(({ name, result }) => `${name} ${result}`),
      [
        'Pre-job: Staged Succeeded',
        'Pre-job: Staged Succeeded',
        'Checkout Succeeded',
        'Staged Failed',
        'Staged Skipped',
        'Post-job: Staged Succeeded',
        'Post-job: Staged Succeeded',
      ],
    );
    assert.match(fixture.log(), /post undefined Failed[\s\S]*post rone Failed/);
  });

  const endings: readonly (readonly [string, string, string])[] = [
    ['console.log("##vso[task.complete result=Failed]no")', 'Failed', ''],
    ['console.log("##vso[task.complete result=SucceededWithIssues]hm")', 'SucceededWithIssues', ''],
    [
      'console.log("##vso[task.complete result=Failed]"); console.log("##vso[task.complete result=Succeeded]")',
      'Failed',
      '',
    ],
    [
      'console.log("##vso[task.complete result=Succeeded]"); process.exit(7)',
      'Failed',
      'Exit code 7 returned from process',
    ],
    ['process.kill(process.pid, "SIGKILL")', 'Failed', 'Exit code 128 returned from process'],
    ['console.log("##vso[task.complete result=Nonsense]")', 'Failed', "Command doesn't have valid result value."],
    ['console.log("##vso[task.nonsense]")', 'Failed', 'is not a recognized command'],
    ['console.log("##vso[nonsense.x]")', 'Succeeded', ''],
    ['console.error("##vso[task.logissue type=error]on stderr")', 'Succeeded', 'on stderr'],
    ['throw new Error("broken")', 'Failed', 'Exit code 1 returned from process'],
  ];
  for (const [source, result, message] of endings) {
    it(`${source} ends ${result}`, async () => {
      const report = await fixture.run('steps:\n- task: End@1', {
        vsix: fixture.vsix({ End: { files: { 'index.js': source } } }),
      });
      const step = stepOf(report, 'End');
      assert.equal(step.result, result);
      const errors = step.issues.filter(({ type }) => type === 'error').map((issue) => issue.message);
      if (message === '') assert.deepEqual(errors, []);
      else
        assert.ok(
          errors.some((text) => text.includes(message)),
          errors.join('\n'),
        );
    });
  }

  it('keep ten issues of a kind; all are in the log', async () => {
    const source =
      'for (let i = 0; i < 25; i++) console.log("##vso[task.logissue type=" + (i % 2 ? "error" : "warning") + "]issue " + i)';
    const report = await fixture.run('steps:\n- task: Many@1', {
      vsix: fixture.vsix({ Many: { files: { 'index.js': source } } }),
    });
    const { issues } = stepOf(report, 'Many');
    assert.deepEqual(
      [issues.filter(({ type }) => type === 'error').length, issues.filter(({ type }) => type === 'warning').length],
      [10, 10],
    );
    assert.match(fixture.log(), /##\[warning\]issue 24/);
  });

  it('commands in the middle of a line and after a carriage return count, as on an agent', async () => {
    const vsix = fixture.vsix({
      Say: SAY,
      Raw: { files: { 'index.js': "process.stdout.write('50 %\\r##vso[task.setvariable variable=b]2\\rx')" } },
    });
    const report = await fixture.run(
      'steps:\n- task: Say@1\n  inputs: { say: "text ##vso[task.setvariable variable=a]1" }\n- task: Raw@1\n- script: echo "a=$(a) b=$(b)"',
      { vsix },
    );
    assert.equal(report.result, 'Succeeded');
    assert.match(fixture.log(), /a=1 b=2/);
  });

  it('output variables: by command, or by declaration in task.json', async () => {
    const source =
      'console.log("##vso[task.setvariable variable=x;isOutput=true]1"); console.log("##vso[task.setvariable variable=declared]2"); console.log("##vso[task.setvariable variable=plain]3"); console.log("##vso[task.setvariable variable=s;isOutput=true;isSecret=true]hunter2hunter2")';
    const vsix = fixture.vsix({
      Out: { json: { outputVariables: [{ name: 'declared' }] }, files: { 'index.js': source } },
    });
    const report = await fixture.run(
      'steps:\n- task: Out@1\n  name: o\n- script: echo "[$(o.x)$(o.declared)$(plain)] [$(o.s)]"',
      { vsix },
    );
    assert.deepEqual(stepOf(report, 'Out').outputs, { x: '1', declared: '2', s: '***' });
    assert.match(fixture.log(), /\[123\] \[\*\*\*\]/);
  });

  it('read-only variables cannot be overwritten', async () => {
    const vsix = fixture.vsix({ Say: SAY });
    for (const name of ['Build.SourceVersion', 'fixed', 'Agent.TempDirectory']) {
      const report = await fixture.run(
        `variables:\n- { name: fixed, value: x, readonly: true }\nsteps:\n- task: Say@1\n  inputs: { say: "##vso[task.setvariable variable=${name}]y" }`,
        { vsix },
      );
      assert.equal(stepOf(report, 'Say').result, 'Failed', name);
    }
  });

  it('a secret of several lines is refused', async () => {
    const report = await fixture.run(
      'steps:\n- task: Say@1\n  inputs: { say: "##vso[task.setvariable variable=a;issecret=true]one%0Atwo" }',
      { vsix: fixture.vsix({ Say: SAY }) },
    );
    assert.match(
      stepOf(report, 'Say')
        .issues.map(({ message }) => message)
        .join('\n'),
      /cannot contain multiple lines/,
    );
  });

  it('a changed path is used by the steps after it', async () => {
    const say = '- task: Say@1\n  inputs: { say: "##vso[task.prependpath]';
    await fixture.run(`steps:\n${say}/first" }\n${say}/second" }\n- script: echo "PATH=$PATH"`, {
      vsix: fixture.vsix({ Say: SAY }),
    });
    assert.match(fixture.log(), /PATH=\/second:\/first:/);
  });

  it('tags, build number, attachments and summaries reach the report', async () => {
    fixture.write('notes.md', '# Notes');
    const say = [
      'build.addbuildtag] good ',
      'build.updatebuildnumber]1.2',
      `task.uploadsummary]${fixture.repository}/notes.md`,
      `task.addattachment type=t;name=n]${fixture.repository}/notes.md`,
    ];
    const report = await fixture.run(
      `steps:\n- bash: |\n${say.map((line) => `    echo "##vso[${line}"`).join('\n')}\n- bash: echo "number $(Build.BuildNumber)"`,
    );
    assert.deepEqual(report.tags, ['good']);
    assert.deepEqual(
      report.attachments.map(({ type, name }) => [type, name]),
      [
        ['Distributedtask.Core.Summary', 'notes.md'],
        ['t', 'n'],
      ],
    );
    assert.equal(readFileSync(report.attachments[0]?.path ?? '', 'utf8'), '# Notes');
    assert.match(fixture.log(), /number 1\.2/);
  });

  it('a task marked done ends five seconds later although its process goes on, and nothing is left of it', async () => {
    const source =
      'console.log("##vso[task.complete result=Succeeded;done=true]"); console.log("pid", process.pid); setInterval(() => {}, 1000)';
    const report = await fixture.run('steps:\n- task: Done@1', {
      vsix: fixture.vsix({ Done: { files: { 'index.js': source } } }),
    });
    const step = stepOf(report, 'Done');
    assert.equal(step.result, 'Succeeded');
    assert.ok(step.durationMs >= 4_900 && step.durationMs < 9_000, String(step.durationMs));
    const pid = /pid (\d+)/.exec(fixture.log())?.[1];
    if (process.platform === 'linux') assert.ok(fixture.log().includes(`Terminate orphan process: pid (${pid})`));
  }).timeout(30_000);

  it('is retried after 1, 4, 9 … seconds, ten times at most', async () => {
    const waits: number[] = [];
    // The time limits of job and step, minutes away, never come; the waits between tries pass at once.
    const never = (signal?: AbortSignal) =>
      new Promise<void>((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
    const sleep = async (ms: number, signal?: AbortSignal) => (ms < 60_000 ? void waits.push(ms) : never(signal));
    const clock = { now: () => Date.now(), sleep };
    const vsix = fixture.vsix({
      Flaky: {
        files: {
          'index.js':
            "const fs = require('fs'); fs.appendFileSync('runs', 'x'); if (fs.readFileSync('runs').length < 4) process.exit(1)",
        },
      },
    });
    const report = await fixture.run('steps:\n- task: Flaky@1\n  retryCountOnTaskFailure: 20', { vsix, clock });
    assert.equal(stepOf(report, 'Flaky').result, 'Succeeded');
    assert.deepEqual(waits, [1_000, 4_000, 9_000]);
  });

  it('that are not in the extension are a problem of the file', async () => {
    await assert.rejects(
      fixture.run('steps:\n- task: Nope@1'),
      /azure-pipelines\.yml:2:9: The local pipeline has no task 'Nope@1'/,
    );
  });
});
