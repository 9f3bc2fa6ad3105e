import assert from 'node:assert/strict';
import path from 'node:path';
import { expandPipeline, loadPipeline } from '#local-pipeline/load-pipeline.ts';
import type { PipelineSpec } from '#local-pipeline/pipeline-model.ts';
import { PipelineFileError } from '#local-pipeline/position.ts';
import type { YamlNode } from '#local-pipeline/yaml-node.ts';
import { PipelineFixture } from './pipeline-fixture.ts';

function plain(node: YamlNode): unknown {
  if (node.kind === 'scalar') return node.text;
  if (node.kind === 'sequence') return node.items.map(plain);
  return Object.fromEntries(node.entries.map(({ key, value }) => [key.text, plain(value)]));
}

describe('pipeline files', () => {
  let fixture: PipelineFixture;
  beforeEach(() => {
    fixture = new PipelineFixture();
  });
  afterEach(() => fixture.remove());

  const options = (parameters: Readonly<Record<string, string>> = {}) => ({
    root: fixture.repository,
    variables: { 'Build.SourceBranch': 'refs/heads/main', 'Build.Reason': 'Manual' },
    parameters,
  });
  const load = (yaml: string): PipelineSpec => loadPipeline(fixture.write('p.yml', yaml), options());
  const expand = (yaml: string, parameters?: Readonly<Record<string, string>>): unknown =>
    plain(expandPipeline(fixture.write('p.yml', yaml), options(parameters)));

  /** `file:line:column message` of each problem. */
  function problems(act: () => unknown): string[] {
    try {
      act();
    } catch (error) {
      assert.ok(error instanceof PipelineFileError, String(error));
      return error.problems.map(
        ({ at, message }) => `${path.relative(fixture.repository, at.file)}:${at.line}:${at.column} ${message}`,
      );
    }
    return [];
  }

  const refused: readonly (readonly [string, string, string])[] = [
    ['broken YAML', 'steps:\n- script: "open', 'p.yml:2:1'],
    [
      'an unknown key of a pipeline',
      'resources: {}\nsteps: []',
      "p.yml:1:1 The local pipeline does not support 'resources' in a pipeline",
    ],
    [
      'an unknown key of a job',
      'jobs:\n- job: A\n  container: x\n  steps: []',
      "p.yml:3:3 The local pipeline does not support 'container' in a job",
    ],
    [
      'an unknown key of a step',
      'steps:\n- script: a\n  retry: 1',
      "p.yml:3:3 The local pipeline does not support 'retry' in a step",
    ],
    [
      'an unknown step',
      'steps:\n- download: current',
      "p.yml:2:3 The local pipeline runs the steps task, script, bash, checkout, not 'download'",
    ],
    ['a duplicate key', 'steps: []\nsteps: []', "p.yml:2:1 'steps' is already defined."],
    ['an anchor', 'steps: &a []', "p.yml:1:11 The anchor '&a' is not supported"],
    [
      'a number that is none',
      'steps:\n- script: a\n  timeoutInMinutes: soon',
      "p.yml:3:21 'timeoutInMinutes' must be a whole number, not 'soon'.",
    ],
    [
      'a boolean that is none',
      'steps:\n- script: a\n  enabled: maybe',
      "p.yml:3:12 'enabled' must be true or false, not 'maybe'.",
    ],
    ['a variable group', 'variables:\n- group: g\nsteps: []', 'p.yml:2:3 Variable groups exist only in the service'],
    [
      'two steps of one name',
      'steps:\n- script: a\n  name: x\n- script: b\n  name: X',
      "p.yml:5:9 Another step of this job is called 'X'.",
    ],
    [
      'two jobs of one name',
      'jobs:\n- { job: A, steps: [] }\n- { job: A, steps: [] }',
      "p.yml:3:3 Another job is called 'A'.",
    ],
    [
      'a dependency that does not exist',
      'jobs:\n- job: A\n  dependsOn: B\n  steps: []',
      "p.yml:3:14 There is no job 'B' to depend on.",
    ],
    [
      'dependencies in a circle',
      'jobs:\n- { job: A, dependsOn: B, steps: [] }\n- { job: B, dependsOn: A, steps: [] }',
      "p.yml:2:3 The job 'A' depends on itself.",
    ],
    ['no steps at all', 'trigger: none', "p.yml:1:1 A pipeline needs 'stages', 'jobs' or 'steps'."],
    [
      'another repository',
      'steps:\n- checkout: other',
      "p.yml:2:13 The local pipeline checks out 'self' or 'none', not 'other'.",
    ],
    ['a cleaned work tree', 'steps:\n- checkout: self\n  clean: true', "p.yml:2:3 'clean: true' would delete"],
    [
      'a container target',
      'steps:\n- script: a\n  target: box',
      "p.yml:3:11 The local pipeline runs steps on the host, not in the container 'box'.",
    ],
    [
      'a deployment strategy that is not runOnce',
      'jobs:\n- deployment: D\n  environment: e\n  strategy: { canary: {} }',
      "p.yml:4:15 The local pipeline does not support 'canary' in a deployment strategy",
    ],
    [
      'an unknown function',
      'steps:\n- script: ${{ nope() }}',
      "p.yml:2:11 The expression 'nope()' is wrong: the function 'nope' is not supported here",
    ],
    [
      'an expression without end',
      'steps:\n- script: ${{ 1',
      "p.yml:2:11 The expression in '${{ 1' has no closing '}}'.",
    ],
    ['else without if', 'steps:\n- ${{ else }}:\n  - script: a', "p.yml:2:3 'else' must follow an 'if' or 'elseif'."],
    [
      'a template that does not exist',
      'steps:\n- template: nope.yml',
      "p.yml:2:13 The template 'nope.yml' does not exist.",
    ],
    [
      'a template of another repository',
      'steps:\n- template: a.yml@lib',
      "p.yml:2:13 Templates of other repositories ('@lib') are not available on this machine.",
    ],
    [
      'a parameter without value',
      'parameters:\n- name: a\nsteps: []',
      "p.yml:2:1 The parameter 'a' has no value and no default.",
    ],
    [
      'a parameter of an unknown type',
      'parameters:\n- name: a\n  type: pool\n  default: x\nsteps: []',
      "p.yml:3:9 The type 'pool' is not supported",
    ],
  ];
  for (const [title, yaml, expected] of refused) {
    it(`${title} is refused with its place`, () => {
      const found = problems(() => load(yaml));
      assert.ok(
        found.some((problem) => problem.startsWith(expected)),
        `${expected}\n${found.join('\n')}`,
      );
    });
  }

  it('all problems are told together', () =>
    assert.equal(problems(() => load('steps:\n- script: a\n  x: 1\n- bash: b\n  y: 1\n- nope: 1')).length, 3));

  it('a problem in a template has the place in the template', () => {
    fixture.write('t/steps.yml', 'steps:\n- script: a\n  wrong: 1');
    assert.deepEqual(problems(() => load('steps:\n- template: t/steps.yml'))[0]?.split(' ')[0], 't/steps.yml:3:3');
  });

  it('what has no effect here is noted', () => {
    const { notes } = load('pool: { vmImage: ubuntu-latest }\ntrigger: [main]\nsteps: []');
    assert.deepEqual(
      notes.map(({ text, at }) => `${at.line}:${at.column} ${text}`),
      ["1:7 'pool' has no effect: this machine is the agent."],
    );
  });

  it('steps get the names that the service would give them', () => {
    const { stages } = load(
      'steps:\n- script: a\n- script: b\n- bash: c\n- task: X@1\n- task: pub.ext.c.X@1\n- script: d\n  name: mine',
    );
    assert.deepEqual(
      stages[0]?.jobs[0]?.steps.map(({ name }) => name),
      ['__system_checkout', 'CmdLine', 'CmdLine1', 'Bash', 'X', 'X1', 'mine'],
    );
  });

  describe('templates', () => {
    it('if, elseif, else: the first that holds', () => {
      const yaml = (value: string) =>
        `variables: { v: ${value} }\nsteps:\n- \${{ if eq(variables.v, 'a') }}:\n  - script: A\n- \${{ elseif eq(variables.v, 'b') }}:\n  - script: B\n- \${{ else }}:\n  - script: C\n- script: end`;
      const scripts = (value: string) =>
        (expand(yaml(value)) as { steps: { script: string }[] }).steps.map(({ script }) => script);
      assert.deepEqual(
        [scripts('a'), scripts('b'), scripts('c')],
        [
          ['A', 'end'],
          ['B', 'end'],
          ['C', 'end'],
        ],
      );
    });

    it('each over lists and maps, in lists and in maps', () => {
      const yaml = `
parameters:
- name: list
  type: object
  default: [a, b]
- name: map
  type: object
  default: { one: 1, two: 2 }
steps:
- \${{ each item in parameters.list }}:
  - script: \${{ item }}
- \${{ each pair in parameters.map }}:
  - script: \${{ pair.key }}=\${{ pair.value }}
- task: X@1
  inputs:
    \${{ each pair in parameters.map }}:
      in_\${{ pair.key }}: \${{ pair.value }}
    \${{ insert }}: \${{ parameters.map }}
`;
      assert.deepEqual(expand(yaml), {
        steps: [
          { script: 'a' },
          { script: 'b' },
          { script: 'one=1' },
          { script: 'two=2' },
          { task: 'X@1', inputs: { in_one: '1', in_two: '2', one: '1', two: '2' } },
        ],
      });
    });

    it('a whole expression keeps its kind, inside text it becomes text', () => {
      const yaml =
        'parameters:\n- name: steps\n  type: stepList\n  default: [{ script: x }]\n- name: flag\n  type: boolean\n  default: true\n- name: n\n  type: number\n  default: 3\nsteps:\n- ${{ parameters.steps }}\n- script: ${{ parameters.flag }} is ${{ parameters.n }}';
      assert.deepEqual(expand(yaml), { steps: [{ script: 'x' }, { script: 'True is 3' }] });
    });

    it('files for steps, jobs, stages and variables, relative or from the root, nested, each with its own parameters', () => {
      fixture.write(
        't/stages.yml',
        'parameters: { name: Default }\nstages:\n- stage: ${{ parameters.name }}\n  jobs:\n  - template: deep/jobs.yml\n    parameters: { job: ${{ parameters.name }}Job }'.replaceAll(
          /: (\$\{\{[^}]*\}\}\w*) \}/g,
          ": '$1' }",
        ),
      );
      fixture.write(
        't/deep/jobs.yml',
        'parameters:\n- name: job\n  type: string\njobs:\n- job: ${{ parameters.job }}\n  variables:\n  - template: /vars.yml\n  steps:\n  - template: ../../steps.yml\n    parameters: { greeting: hello }',
      );
      fixture.write('vars.yml', 'variables: { shared: yes }');
      fixture.write(
        'steps.yml',
        'parameters:\n- name: greeting\n  values: [hello, bye]\nsteps:\n- script: echo ${{ parameters.greeting }} ${{ variables.shared }}',
      );
      assert.deepEqual(expand('stages:\n- template: t/stages.yml\n  parameters: { name: A }'), {
        stages: [
          {
            stage: 'A',
            jobs: [
              { job: 'AJob', variables: [{ name: 'shared', value: 'yes' }], steps: [{ script: 'echo hello yes' }] },
            ],
          },
        ],
      });
    });

    it('extends: the pipeline fills the parameters of a template', () => {
      fixture.write(
        'base.yml',
        'parameters:\n- name: steps\n  type: stepList\n- name: strict\n  type: boolean\n  default: false\njobs:\n- job: J\n  steps:\n  - ${{ each step in parameters.steps }}:\n    - ${{ step }}\n  - ${{ if parameters.strict }}:\n    - script: check ${{ variables.mine }}',
      );
      assert.deepEqual(
        expand(
          'variables: { mine: 7 }\nextends:\n  template: base.yml\n  parameters:\n    strict: true\n    steps:\n    - script: own',
        ),
        {
          variables: { mine: '7' },
          jobs: [{ job: 'J', steps: [{ script: 'own' }, { script: 'check 7' }] }],
        },
      );
    });

    it('variables are known below the place that sets them, predefined ones everywhere', () => {
      const yaml = `
variables:
- name: a
  value: 1
- name: b
  value: \${{ variables.a }}2
stages:
- stage: S
  variables: { c: "\${{ variables.b }}3" }
  jobs:
  - job: J
    displayName: \${{ variables.c }} \${{ variables['Build.Reason'] }}
    steps:
    - script: \${{ variables.b }}
`;
      const { stages } = expand(yaml) as { stages: { jobs: { displayName: string; steps: { script: string }[] }[] }[] };
      assert.equal(stages[0]?.jobs[0]?.displayName, '123 Manual');
      assert.equal(stages[0]?.jobs[0]?.steps[0]?.script, '12');
    });

    const parameters =
      'parameters:\n- { name: s, type: string, default: x, values: [x, y] }\n- { name: n, type: number, default: 1 }\n- { name: b, type: boolean, default: false }\n- { name: o, type: object, default: {} }\nsteps:\n- script: ${{ parameters.s }} ${{ parameters.n }} ${{ parameters.b }} ${{ length(parameters.o) }}';
    it('parameters from the command line have their types', () => {
      assert.deepEqual(expand(parameters, { s: 'y', n: '2', b: 'TRUE', o: '[1, 2, 3]' }), {
        steps: [{ script: 'y 2 True 3' }],
      });
    });
    for (const [given, message] of [
      [{ s: 'z' }, "may be x, y, not 'z'"],
      [{ n: 'two' }, 'must be of type number'],
      [{ b: 'yes' }, 'must be of type boolean'],
      [{ nope: '1' }, "There is no parameter 'nope'; known: s, n, b, o."],
    ] as const) {
      it(`${JSON.stringify(given)} is refused`, () =>
        assert.match(problems(() => expand(parameters, given)).join('\n'), new RegExp(message.replace('.', '\\.'))));
    }

    it('a template that includes itself ends', () => {
      fixture.write('loop.yml', 'steps:\n- template: loop.yml');
      assert.match(problems(() => expand('steps:\n- template: loop.yml')).join('\n'), /nested deeper than 100/);
    });

    it('text that only looks like an expression stays', () => {
      assert.deepEqual(expand("steps:\n- script: echo '${{ '}}' }}' $(a) ${b} {{c}}"), {
        steps: [{ script: "echo '}}' $(a) ${b} {{c}}" }],
      });
    });
  });
});
