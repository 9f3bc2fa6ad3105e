import assert from 'node:assert/strict';
import type { PipelineReport } from '#local-pipeline/pipeline-report.ts';
import { commandAllowed, variableSettable } from '#local-pipeline/restrictions.ts';
import { PipelineFixture, stepOf } from './pipeline-fixture.ts';

describe('restrictions', () => {
  // The facts of the agent's SetVariableRestrictionsL0.
  const settable: readonly (readonly [string, readonly (readonly string[] | undefined)[], string, boolean])[] = [
    ['no restriction', [], 'any', true],
    ['no list', [undefined], 'any', true],
    ['an empty list', [[]], 'any', false],
    ['an exact name, without case', [['myVar', 'otherVar']], 'MYVAR', true],
    ['another name', [['myVar', 'otherVar']], 'myVar2', false],
    ['a glob', [['prefix.*', 'b?r']], 'prefix.x', true],
    ['a glob with one sign', [['prefix.*', 'b?r']], 'bar', true],
    ['a glob that does not fit', [['prefix.*', 'b?r']], 'baar', false],
    ['several lists: all must allow', [['a*'], ['*z']], 'abz', true],
    ['several lists: one does not allow', [['a*'], ['*z']], 'aby', false],
  ];
  for (const [title, lists, name, expected] of settable) {
    it(`${title}: ${name} ${expected ? 'may' : 'may not'} be set`, () => {
      assert.equal(
        variableSettable(
          lists.map((settableVariables) => ({ settableVariables })),
          name,
        ),
        expected,
      );
    });
  }

  it('restricted commands: one restriction is enough', () => {
    assert.equal(commandAllowed([{ commands: 'any' }, { commands: 'restricted' }], false), false);
    assert.equal(commandAllowed([{ commands: 'any' }, { commands: 'restricted' }], true), true);
    assert.equal(commandAllowed([{ commands: 'any' }], false), true);
  });

  describe('in a run', () => {
    let fixture: PipelineFixture;
    beforeEach(() => {
      fixture = new PipelineFixture();
    });
    afterEach(() => fixture.remove());

    const forbidden = [
      'task.addattachment type=t;name=n]/etc/hostname',
      'task.uploadsummary]/etc/hostname',
      'task.uploadfile]/etc/hostname',
      'build.addbuildtag]t',
      'build.updatebuildnumber]9',
      'task.setendpoint id=x;field=url]https://x',
      'artifact.upload artifactname=a]/etc/hostname',
    ];
    const allowed = [
      'task.setvariable variable=free]1',
      'task.logissue type=warning]w',
      'task.setprogress value=5]',
      'task.setsecret]hidden-word',
      'task.prependpath]/p',
      'task.settaskvariable variable=t]1',
      'task.logdetail id=00000000-0000-0000-0000-000000000001;name=n;type=t]',
      'task.complete result=SucceededWithIssues]',
    ];
    const script = [...forbidden, ...allowed].map((command) => `echo "##vso[${command}"`);

    function check(report: PipelineReport): void {
      const warnings = stepOf(report, 'step').issues.map(({ message }) => message);
      assert.equal(
        warnings.filter((message) => message.includes('is not allowed in this step due to policy restrictions')).length,
        forbidden.length,
      );
      assert.deepEqual(report.tags, []);
      assert.deepEqual(report.attachments, []);
      assert.equal(report.variables['free'], '1');
      assert.equal(report.result, 'SucceededWithIssues');
    }

    it('target: commands: restricted', async () => {
      check(
        await fixture.run(
          `steps:\n- bash: |\n${script.map((line) => `    ${line}`).join('\n')}\n  displayName: step\n  target: { commands: restricted }`,
        ),
      );
    });

    it('restrictions of task.json', async () => {
      const source = `const { execSync } = require('child_process'); process.stdout.write(execSync(${JSON.stringify(script.join('\n'))}))`;
      const vsix = fixture.vsix({
        Bound: { json: { restrictions: { commands: { mode: 'restricted' } } }, files: { 'index.js': source } },
      });
      check(await fixture.run('steps:\n- task: Bound@1\n  displayName: step', { vsix }));
    });

    it('settableVariables: only what both the task and the target allow', async () => {
      const source =
        "for (const n of ['ab', 'ac', 'bb', 'PATHS']) console.log('##vso[task.setvariable variable=' + n + ']1'); console.log('##vso[task.prependpath]/p')";
      const vsix = fixture.vsix({
        Bound: { json: { restrictions: { settableVariables: { allowed: ['a*'] } } }, files: { 'index.js': source } },
      });
      const report = await fixture.run(
        'steps:\n- task: Bound@1\n  displayName: step\n  target: { settableVariables: [ab, bb] }',
        { vsix },
      );
      assert.deepEqual(Object.keys(report.variables), ['ab']);
      assert.match(
        stepOf(report, 'step')
          .issues.map(({ message }) => message)
          .join('\n'),
        /Setting variable 'PATH' has been disabled/,
      );
    });

    it('settableVariables: none', async () => {
      const report = await fixture.run(
        'steps:\n- bash: echo "##vso[task.setvariable variable=a]1"\n  target: { settableVariables: none }',
      );
      assert.deepEqual(report.variables, {});
    });
  });
});
