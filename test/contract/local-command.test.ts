import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { PipelineReport } from '#local-pipeline/pipeline-report.ts';
import { pythonOf } from '../../scripts/python-environments.mjs';

const ROOT = path.resolve(import.meta.dirname, '../..');

describe('npm run local', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'plumbline-test-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  interface Ended {
    readonly status: number | null;
    readonly output: string;
  }

  /** Runs the command on a pipeline of this text; `onOutput` sees what was printed so far. */
  function local(
    yaml: string,
    args: readonly string[] = [],
    onOutput: (output: string, child: ChildProcess) => void = () => {},
  ): Promise<Ended> {
    const file = path.join(folder, 'pipeline.yml');
    writeFileSync(file, yaml);
    const child = spawn(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', 'scripts/local.ts', file, ...args],
      // Without --out the log lands in the temporary folder.
      { cwd: ROOT, env: { ...process.env, TMPDIR: folder }, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    const printed: string[] = [];
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (bytes: Buffer) => {
        printed.push(bytes.toString());
        onOutput(printed.join(''), child);
      });
    }
    return new Promise((resolve, reject) =>
      child.on('error', reject).on('close', (status) => resolve({ status, output: printed.join('') })),
    );
  }

  const reportFile = () => path.join(folder, 'report.json');
  const report = () => JSON.parse(readFileSync(reportFile(), 'utf8')) as PipelineReport;

  it('ends 0 when the run succeeded, with issues too, and writes what was asked for', async () => {
    const yaml =
      'steps:\n- checkout: none\n- bash: echo "##vso[task.logissue type=warning;sourcepath=a.py;linenumber=3]careful"; echo "##vso[task.complete result=SucceededWithIssues]"; echo "##vso[task.setvariable variable=x;isOutput=true]$(given)"\n  name: one';
    const { status, output } = await local(yaml, [
      '--var',
      'given=yes',
      '--json',
      reportFile(),
      '--out',
      path.join(folder, 'out'),
    ]);
    assert.equal(status, 0, output);
    const { result, steps, variables, log } = report();
    assert.equal(result, 'SucceededWithIssues');
    assert.deepEqual(
      steps.map(({ durationMs, ...rest }) => ({ ...rest, timed: durationMs >= 0 })),
      [
        {
          job: 'Job',
          name: 'Bash',
          task: 'bash',
          result: 'SucceededWithIssues',
          timed: true,
          issues: [{ type: 'warning', message: 'a.py(3,): warning : careful', sourcePath: 'a.py', line: 3 }],
          outputs: { x: 'yes' },
        },
      ],
    );
    assert.deepEqual(variables, { given: 'yes', 'one.x': 'yes' });
    assert.equal(log, path.join(folder, 'out/log.txt'));
    assert.match(readFileSync(log, 'utf8'), /Starting: Bash/);
  });

  it('ends 1 when it failed', async () =>
    assert.equal((await local('steps:\n- checkout: none\n- bash: exit 1')).status, 1));

  it('ends 2 when it was interrupted; steps that always run still do', async () => {
    const yaml =
      'steps:\n- checkout: none\n- bash: echo ready; sleep 60\n- bash: echo cleaned up\n  condition: always()';
    let sent = false;
    const { status, output } = await local(yaml, ['--json', reportFile()], (printed, child) => {
      if (sent || !printed.includes('| ready')) return;
      sent = true;
      child.kill('SIGINT');
    });
    assert.equal(status, 2, output);
    assert.match(output, /\| cleaned up/);
    assert.deepEqual(
      report().steps.map(({ result }) => result),
      ['Canceled', 'Succeeded'],
    );
  });

  it('ends 64 before anything runs when the pipeline cannot run as it is written', async () => {
    const { status, output } = await local('steps:\n- bash: echo started\n- powershell: x\n', ['--json', reportFile()]);
    assert.equal(status, 64);
    assert.match(
      output,
      /pipeline\.yml:3:3: The local pipeline runs the steps task, script, bash, checkout, not 'powershell'/,
    );
    assert.ok(!output.includes('started'));
    assert.throws(report, { code: 'ENOENT' });
  });

  it('ends 64 with the usage for wrong arguments', async () => {
    const { status, output } = await local('steps: []', ['--node', '18']);
    assert.equal(status, 64);
    assert.match(output, /--node is 20 or 24, not '18'[\s\S]*usage: npm run -s local/);
  });

  it('plays Azure DevOps without a declaration too, so that what a task publishes lands in --out', async () => {
    const yaml = [
      'steps:',
      '- checkout: none',
      '- task: RunLuigi@1',
      '  inputs:',
      '    module: wide',
      '    task: Root',
      '    parameters: n=2',
      `    python: ${pythonOf(ROOT, 'luigi')}`,
      `    workingDirectory: ${folder}`,
      '  env:',
      `    PYTHONPATH: ${path.join(ROOT, 'test/fixtures/luigi')}`,
    ].join('\n');
    const { status, output } = await local(yaml, ['--json', reportFile(), '--out', path.join(folder, 'out')]);
    assert.equal(status, 0, output);
    assert.equal(report().result, 'Succeeded', output);
    assert.deepEqual(
      report()
        .attachments.map(({ type }) => type)
        .sort(),
      ['Distributedtask.Core.Summary', 'plumbline-lineage', 'plumbline-report'],
    );
  }).timeout(60_000);
}).timeout(120_000);
