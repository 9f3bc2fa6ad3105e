import assert from 'node:assert/strict';
import { lintPolicy } from '#gateway/policy/lint-policy.ts';
import { exampleProblems, testPolicy } from '#gateway/policy/test-policy.ts';
import { AIRFLOW, PIPELINES } from '../../../support/sample-grants.ts';
import { binding, ISSUERS, NOW, policyFrom, policyText, problemsOf, ROLE } from '../../../support/sample-policy.ts';

type Fields = Readonly<Record<string, unknown>>;

const SEVEN = { project_id: '7', ref: 'main' };
const EIGHT = { project_id: '8', ref: 'main' };
const match = {
  all: [
    { claim: 'project_id', equals: '7' },
    { claim: 'ref', equals: 'main' },
  ],
};
const examples = { allow: [{ claims: SEVEN }], deny: [{ claims: EIGHT }] };
const SAID = { allow: [{ claims: SEVEN, airflow: 'load' }], deny: [{ claims: EIGHT, airflow: 'load' }] };
const load = (fields: Fields = {}) =>
  binding({ name: 'load', match, roles: undefined, airflow: ['load'], examples, ...fields });
const publish = (fields: Fields = {}) =>
  binding({ name: 'publish', match, roles: undefined, pipelines: ['publish'], examples, ...fields });
const base = (fields: Fields = {}): Fields => ({
  issuers: { gitlab: ISSUERS.gitlab },
  roles: undefined,
  airflow: { load: AIRFLOW.load },
  pipelines: PIPELINES,
  bindings: [load(), publish()],
  ...fields,
});
const pipeline = (fields: Fields) => base({ pipelines: { publish: { ...PIPELINES.publish, ...fields } } });
const without = (line: string) => line.replace(/^\d+:/, '');
const problems = (fields: Fields) => problemsOf(policyText(base(fields))).map(without);

describe('a policy with grants', () => {
  it('needs no roles, in the file and in a binding', () => {
    assert.deepEqual(problems({}), []);
    assert.deepEqual(problems({ roles: {}, bindings: [load({ roles: [] }), publish()] }), []);
    assert.equal(policyFrom(base()).roles.size, 0);
  });

  it('gives its grants by name', () => {
    const { airflow, pipelines } = policyFrom(base());
    assert.deepEqual(airflow.get('load'), { name: 'load', ...AIRFLOW.load });
    assert.deepEqual(pipelines.get('publish')?.pipeline, 12);
  });

  const rows: readonly (readonly [string, Fields, string])[] = [
    [
      'a policy of nothing',
      { airflow: undefined, pipelines: {}, bindings: [] },
      'roles: is needed where there is neither `airflow` nor `pipelines`',
    ],
    [
      'a binding of nothing',
      { bindings: [load({ airflow: undefined }), publish()] },
      'bindings[0].roles: is needed where a binding has neither `airflow` nor `pipelines`',
    ],
    [
      'a grant that is not there',
      { bindings: [load({ airflow: ['none'] })] },
      'bindings[0].airflow[0]: is not one of `airflow`',
    ],
    [
      'a grant of the other kind',
      { bindings: [publish({ pipelines: ['load'] })] },
      'bindings[0].pipelines[0]: is not one of `pipelines`',
    ],
    [
      'a name of every object',
      { bindings: [load({ airflow: ['constructor'] })] },
      'bindings[0].airflow[0]: is not one of `airflow`',
    ],
    [
      'a grant twice',
      { bindings: [load({ airflow: ['load', 'load'] })] },
      'bindings[0].airflow: holds the same entry twice',
    ],
    [
      'a deny rule for a grant that is not there',
      { deny: [{ name: 'd', reason: 'x', pipelines: ['none'] }] },
      'deny[0].pipelines[0]: is not one of `pipelines`',
    ],
    [
      'a user of FabAuthManager by name',
      { airflow: { load: { airflow: 'a', user: 'ci' } } },
      'airflow.load.user: must be the numeric id of a user of FabAuthManager, or needs `role` beside it',
    ],
    [
      'a user of FabAuthManager whose id no database of Airflow has',
      { airflow: { load: { airflow: 'a', user: '2147483648' } } },
      'airflow.load.user: must be the numeric id of a user of FabAuthManager, or needs `role` beside it',
    ],
    [
      'a condition on what the gateway fills by another grant',
      {
        pipelines: {
          ...PIPELINES,
          other: { ...PIPELINES.publish, contextParameter: undefined, templateParameters: { QueuedBy: { glob: '*' } } },
        },
      },
      'pipelines.other.templateParameters.QueuedBy: is the `contextParameter` of `publish`, which the gateway fills',
    ],
    [
      'a role that Airflow does not have',
      { airflow: { load: { ...AIRFLOW.load, role: 'root' } } },
      'airflow.load.role: must be one of viewer, user, op, admin',
    ],
    [
      'one user of two grants',
      { airflow: { load: AIRFLOW.load, more: { ...AIRFLOW.load, user: 'CI-load', role: 'viewer' } } },
      "airflow.more.user: is the user of 'load' too; give each grant one of its own, or say why with `sharedBy`",
    ],
    ['a pipeline without refs', pipeline({ refs: [] }), 'pipelines.publish.refs: must have at least 1 entry'],
    [
      'a ref that only has to be there',
      pipeline({ refs: [{ exists: true }] }),
      'pipelines.publish.refs[0]: needs exactly one of equals, oneOf and glob',
    ],
    [
      'a branch by its short name',
      pipeline({ refs: [{ equals: 'main' }] }),
      'pipelines.publish.refs[0].equals: must be a ref in full, such as refs/heads/main',
    ],
    [
      'parameters that are not named',
      pipeline({ otherParameters: true }),
      'pipelines.publish.otherParameters: must be false',
    ],
    [
      'a condition on what the gateway fills',
      pipeline({ contextParameter: 'DAY' }),
      'pipelines.publish.templateParameters.day: is the `contextParameter`, which the gateway fills',
    ],
    [
      'two parameters that Azure takes for one',
      pipeline({ templateParameters: { day: { glob: '*' }, Day: { glob: '*' } } }),
      'pipelines.publish.templateParameters.Day: differs from another parameter by its case alone',
    ],
    ...['http://dev.azure.com/x', 'https://dev.azure.com/x/', 'https://dev.azure.com/x/y', 'https://x.example.com'].map(
      (organization) =>
        [
          `the organization ${organization}`,
          pipeline({ organization }),
          'pipelines.publish.organization: must be https://dev.azure.com/ORGANIZATION or https://ORGANIZATION.visualstudio.com, without a slash at its end',
        ] as const,
    ),
    [
      'an example of two things',
      {
        bindings: [
          load({
            examples: { ...examples, allow: [{ claims: SEVEN, airflow: 'load', pipeline: { grant: 'publish' } }] },
          }),
        ],
      },
      'bindings[0].examples.allow[0]: is about one thing: a role with its run, `airflow`, or `pipeline`',
    ],
    [
      'an example that does not say which',
      { bindings: [load({ pipelines: ['publish'] })] },
      'bindings[0].examples.allow[0]: needs `role`, `airflow` or `pipeline`: the binding gives several things',
    ],
    [
      'a run in an example of a binding without roles',
      { bindings: [load({ examples: { ...examples, allow: [{ claims: SEVEN, run: { module: 'm', task: 'T' } }] } })] },
      'bindings[0].examples.allow[0]: is about a run, and the binding gives no role',
    ],
    [
      'an example of a grant that is not there',
      { bindings: [load({ examples: { ...examples, deny: [{ claims: SEVEN, pipeline: { grant: 'none' } }] } })] },
      'bindings[0].examples.deny[0].pipeline.grant: is not one of `pipelines`',
    ],
    [
      'grants for calls that bring nothing',
      {
        roles: { sales: { ...ROLE, namespaces: [''] } },
        bindings: [
          binding({
            issuer: 'anonymous',
            mode: 'enforce',
            match: { all: [{ claim: 'address', equals: '::1' }] },
            airflow: ['load'],
            examples: { allow: [{ claims: { address: '::1' } }], deny: [{ claims: { address: '::2' } }] },
          }),
        ],
      },
      'bindings[0].airflow: has no meaning for the issuer `anonymous`',
    ],
  ];
  for (const [title, fields, problem] of rows)
    it(`is refused for ${title}`, () => {
      const found = problems(fields);
      assert.ok(found.includes(problem), `${found.join('\n')} is not ${problem}`);
    });

  it('may share a user of an Airflow with a reason, and a name between Airflows without one', () => {
    const shared = { load: AIRFLOW.load, more: { ...AIRFLOW.load, sharedBy: 'both only read' } };
    assert.deepEqual(problems({ airflow: shared }), []);
    assert.deepEqual(problems({ airflow: { load: AIRFLOW.load, more: { ...AIRFLOW.load, airflow: 'lake' } } }), []);
  });
});

describe('lintPolicy of grants', () => {
  const lints = (fields: Fields) =>
    lintPolicy(policyFrom(base(fields)), NOW)
      .map(({ rule, field }) => `${rule} ${field}`)
      .toSorted();
  const admin = { load: { ...AIRFLOW.load, role: 'admin' } };
  const fab = { load: { airflow: 'warehouse', user: '7' } };
  const other = load({ name: 'second', match: { all: [...match.all, { claim: 'user_id', equals: '3' }] } });
  const rows: readonly (readonly [string, Fields, readonly string[]])[] = [
    ['nothing in a good policy', {}, []],
    ['grants that nobody has', { bindings: [load()] }, ['unused-grant pipelines.publish']],
    ['a user who may do everything', { airflow: admin }, ['airflow-admin airflow.load.role']],
    [
      'such a user where only reports are meant',
      { airflow: admin, bindings: [load({ mode: 'report' }), publish()] },
      ['airflow-admin airflow.load.role', 'airflow-report bindings[0].airflow[0]', 'report-mode bindings[0]'],
    ],
    [
      'a user whose roles only Airflow knows, where only reports are meant',
      { airflow: fab, mode: 'report', bindings: [load(), publish({ mode: 'enforce' })] },
      ['airflow-report bindings[0].airflow[0]', 'report-mode bindings[0]'],
    ],
    [
      'one user of two bindings',
      { bindings: [other, load(), publish()] },
      ['shared-airflow-user bindings[1].airflow[0]'],
    ],
    [
      'nothing when it is said why',
      { airflow: { load: { ...AIRFLOW.load, sharedBy: 'x' } }, bindings: [other, load(), publish()] },
      [],
    ],
    [
      'a pipeline for every ref',
      pipeline({ refs: [{ glob: '**' }] }),
      ['wildcard-start pipelines.publish.refs[0].glob'],
    ],
    [
      'a pipeline for pull requests',
      pipeline({ refs: [{ equals: 'refs/heads/main' }, { glob: 'refs/**' }] }),
      ['pull-request-ref pipelines.publish.refs[1].glob'],
    ],
    ['nothing with every branch', pipeline({ refs: [{ glob: 'refs/heads/**' }] }), []],
    [
      'a binding that a deny rule covers',
      { deny: [{ name: 'd', reason: 'x', airflow: ['load'] }] },
      ['unreachable bindings[0]'],
    ],
    [
      'nothing when a deny rule is about other things',
      {
        roles: { sales: ROLE },
        bindings: [load({ roles: ['sales'], examples: SAID }), publish()],
        deny: [{ name: 'd', reason: 'x', airflow: ['load'] }],
      },
      [],
    ],
    [
      'a binding that one before it covers',
      { bindings: [load({ pipelines: ['publish'], examples: SAID }), publish()] },
      ['unreachable bindings[1]'],
    ],
    ['nothing when the one before it gives something else', { bindings: [load(), publish()] }, []],
  ];
  for (const [title, fields, expected] of rows) it(`finds ${title}`, () => assert.deepEqual(lints(fields), expected));
});

describe('examples of grants', () => {
  const queue = { grant: 'publish', ref: 'refs/heads/main', templateParameters: { day: '2026-01-01' } };
  /** What becomes of one allow and one deny example of the first binding. */
  const outcomes = (first: (fields: Fields) => Fields, allow: Fields, deny: Fields, fields: Fields = {}) => {
    const policy = policyFrom(base({ bindings: [first({ examples: { allow: [allow], deny: [deny] } })], ...fields }));
    return testPolicy(policy)
      .slice(0, 2)
      .map(({ passed, outcome }) => `${passed ? 'pass' : 'FAIL'} ${outcome}`);
  };
  const stranger = 'pass refused: claim-mismatch (claim project_id)';

  it('need not name the one thing that a binding gives', () => {
    assert.deepEqual(outcomes(load, { claims: SEVEN }, { claims: EIGHT }), ['pass allowed', stranger]);
    assert.deepEqual(outcomes(publish, { claims: SEVEN }, { claims: EIGHT }), ['pass allowed', stranger]);
  });

  it('try ref and parameters where there is a ref', () => {
    const branch = { ...queue, ref: 'refs/heads/dev' };
    assert.deepEqual(outcomes(publish, { claims: SEVEN, pipeline: queue }, { claims: SEVEN, pipeline: branch }), [
      'pass allowed',
      'pass refused: pipeline-ref (ref)',
    ]);
    const more = { ...queue, templateParameters: { ...queue.templateParameters, more: 1 } };
    assert.deepEqual(outcomes(publish, { claims: SEVEN, pipeline: more }, { claims: SEVEN, pipeline: queue }), [
      'FAIL refused: parameter-unknown (parameter more)',
      "FAIL allowed by 'publish'",
    ]);
  });

  it('find another grant by which the same pipeline is open, in whichever binding', () => {
    const dev = { ...PIPELINES.publish, refs: [{ equals: 'refs/heads/dev' }] };
    const pipelines = { ...PIPELINES, dev };
    const branch = { ...queue, ref: 'refs/heads/dev' };
    const first = publish({
      examples: { allow: [{ claims: SEVEN, pipeline: queue }], deny: [{ claims: SEVEN, pipeline: branch }] },
    });
    const second = publish({ name: 'second', pipelines: ['dev'] });
    const policy = policyFrom(base({ pipelines, bindings: [first, second] }));
    assert.deepEqual(
      exampleProblems(policy).map(({ field, message }) => `${field}: ${message}`),
      ["bindings[0].examples.deny[0]: the example must be refused, but it is allowed by 'second'"],
    );
  });

  it('are refused by a deny rule for what they name alone', () => {
    const deny = (fields: Fields) => ({ deny: [{ name: 'stop', reason: 'x', ...fields }] });
    const example = { claims: SEVEN, airflow: 'load' };
    assert.deepEqual(outcomes(load, example, example, deny({ airflow: ['load'] })), [
      "pass allowed, but for now the deny rule 'stop' refuses it",
      "pass refused: deny rule 'stop'",
    ]);
    assert.deepEqual(outcomes(load, example, example, deny({ pipelines: ['publish'] })), [
      'pass allowed',
      "FAIL allowed by 'load'",
    ]);
  });

  it('say which grant a binding does not give', () => {
    const airflow = { ...AIRFLOW, load: AIRFLOW.load };
    assert.deepEqual(
      outcomes(load, { claims: SEVEN, airflow: 'look' }, { claims: SEVEN, airflow: 'look' }, { airflow }),
      ['FAIL refused: airflow (airflow grant)', 'pass refused: airflow (airflow grant)'],
    );
  });
});
