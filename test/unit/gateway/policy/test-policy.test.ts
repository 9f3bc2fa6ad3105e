import assert from 'node:assert/strict';
import { exampleProblems, testPolicy } from '#gateway/policy/test-policy.ts';
import { binding, ISSUERS, policyFrom, ROLE, TENANT } from '../../../support/sample-policy.ts';

type Fields = Readonly<Record<string, unknown>>;

const SEVEN = { project_id: '7' };
const EIGHT = { project_id: '8' };

/** What becomes of one allow and one deny example of the first binding. */
function outcomes(allow: Fields, deny: Fields, fields: Fields = {}, policy: Fields = {}): string[] {
  const first = binding({ ...fields, examples: { allow: [allow], deny: [deny] } });
  const { bindings = [] } = policy as { bindings?: readonly Fields[] };
  const results = testPolicy(policyFrom({ ...policy, bindings: [first, ...bindings] }));
  return results
    .filter((result) => result.binding === 'sales')
    .map(({ passed, outcome }) => `${passed ? 'pass' : 'FAIL'} ${outcome}`);
}

describe('testPolicy', () => {
  const denied = 'pass refused: claim-mismatch (claim project_id)';
  const run = { module: 'retail.daily', task: 'DailyReport' };
  const rows: readonly (readonly [string, readonly string[], readonly string[]])[] = [
    ['tries the caller alone', outcomes({ claims: SEVEN }, { claims: EIGHT }), ['pass allowed', denied]],
    [
      'tries the run where there is one',
      outcomes({ claims: SEVEN, run }, { claims: SEVEN, run: { ...run, task: 'Other' } }),
      ['pass allowed', 'pass refused: task (task)'],
    ],
    [
      'fails what is refused though it must be allowed',
      outcomes({ claims: SEVEN, run: { ...run, parameters: { a: 1 } } }, { claims: EIGHT }),
      ['FAIL refused: parameter-unknown (parameter a)', denied],
    ],
    [
      'fails what is allowed though it must be refused',
      outcomes({ claims: SEVEN }, { claims: SEVEN }),
      ['pass allowed', "FAIL allowed by 'sales'"],
    ],
    [
      'tries enforcement where the mode is report',
      outcomes({ claims: SEVEN, run: { ...run, task: 'Other' } }, { claims: EIGHT }, { mode: 'report' }),
      ['FAIL refused: task (task)', denied],
    ],
    [
      'reads facts as the profile of the issuer does',
      outcomes(
        { claims: { ...SEVEN, ref_protected: 'true' } },
        { claims: { ...SEVEN, ref_protected: 'true', pipeline_source: 'merge_request_event' } },
        { require: { refProtected: true } },
      ),
      ['pass allowed', 'pass refused: require-ref-protected (require.refProtected)'],
    ],
    [
      'fails claims that no token of the issuer has',
      outcomes({ claims: { project_id: 7 } }, { claims: EIGHT }),
      ['FAIL refused: no token of the issuer is like this (project_id)', denied],
    ],
    [
      'takes evidence of the example',
      outcomes({ claims: SEVEN, evidence: { approval: true } }, { claims: SEVEN }, { require: { approval: true } }),
      ['pass allowed', 'pass refused: require-approval (require.approval)'],
    ],
    [
      'tries a binding inside its period, whatever the day',
      outcomes(
        { claims: SEVEN },
        { claims: SEVEN, at: '2020-03-01' },
        { from: '2020-01-01', until: '2020-02-01', reason: 'x' },
      ),
      ['pass allowed', 'pass refused: outside-period (from, until)'],
    ],
    [
      'needs the role of the binding',
      outcomes(
        { claims: SEVEN, role: 'other' },
        { claims: SEVEN, role: 'other' },
        {},
        { roles: { sales: ROLE, other: ROLE } },
      ),
      ['FAIL refused: role (role)', 'pass refused: role (role)'],
    ],
  ];
  for (const [what, actual, expected] of rows) it(what, () => assert.deepEqual(actual, expected));

  const wide = binding({
    name: 'wide',
    match: { all: [{ claim: 'project_id', exists: true }] },
    examples: { allow: [{ claims: EIGHT }], deny: [{ claims: {} }] },
  });
  it('fails a deny example that another binding allows', () => {
    assert.deepEqual(outcomes({ claims: SEVEN }, { claims: EIGHT }, {}, { bindings: [wide] }), [
      'pass allowed',
      "FAIL allowed by 'wide'",
    ]);
  });

  it('does not fail with the days: a binding for a time does not count unless the example says when', () => {
    const soon = { ...wide, until: '2026-12-02', reason: 'x' };
    const at = '2026-12-01T10:00:00Z';
    assert.deepEqual(outcomes({ claims: SEVEN }, { claims: EIGHT }, {}, { bindings: [soon] }), [
      'pass allowed',
      denied,
    ]);
    assert.deepEqual(
      outcomes({ claims: SEVEN }, { claims: EIGHT, at }, {}, { bindings: [soon] })[1],
      "FAIL allowed by 'wide'",
    );
  });

  it('lets a deny rule of the moment fail no allow example, so that it can always be loaded', () => {
    const deny = [{ name: 'stop', reason: 'incident' }];
    assert.deepEqual(outcomes({ claims: SEVEN }, { claims: SEVEN }, {}, { deny }), [
      "pass allowed, but for now the deny rule 'stop' refuses it",
      "pass refused: deny rule 'stop'",
    ]);
    assert.deepEqual(exampleProblems(policyFrom({ deny })), []);
  });

  it('puts run facts beside the token', () => {
    const entra = {
      issuer: 'entra',
      runFactsIssuer: 'pipelines',
      match: {
        all: [
          { claim: 'tid', equals: TENANT },
          { claim: 'def_id', equals: '7', runFacts: true },
        ],
      },
    };
    const claims = { tid: TENANT };
    assert.deepEqual(outcomes({ claims, runFacts: { def_id: '7' } }, { claims, runFacts: { def_id: '8' } }, entra), [
      'pass allowed',
      'pass refused: claim-mismatch (run fact def_id)',
    ]);
    assert.deepEqual(
      outcomes({ claims, runFacts: { def_id: '7' } }, { claims }, entra)[1]?.slice(0, 29),
      'pass refused: run-facts-issue',
    );
  });

  it('makes a caller of every profile from the claims that a binding reads', () => {
    const issuers = {
      ...ISSUERS,
      github: { profile: 'github', issuer: 'https://token.actions.githubusercontent.com', audiences: ['a'] },
      cluster: { profile: 'kubernetes', issuer: 'https://cluster.example.com', audiences: ['a'] },
      okta: { profile: 'oidc', issuer: 'https://okta.example.com', audiences: ['a'] },
      connection: {
        profile: 'azure-connection',
        issuer: ISSUERS.pipelines.issuer,
        audiences: ['api://AzureADTokenExchange'],
        sharedAudience: true,
      },
      own: { ...ISSUERS.pipelines, factsOnly: false, audiences: ['b'] },
    };
    const named = (issuer: string, claim: string, claims: Fields, other: Fields, value: string) =>
      binding({
        name: issuer,
        issuer,
        match: { all: [{ claim, equals: value }] },
        examples: { allow: [{ claims }], deny: [{ claims: other }] },
      });
    const bindings = [
      named('github', 'repository_id', { repository_id: '5' }, { repository_id: '6' }, '5'),
      named(
        'cluster',
        '/kubernetes.io/namespace',
        { 'kubernetes.io': { namespace: 'etl', serviceaccount: { name: 'a', uid: 'u' } } },
        { 'kubernetes.io': { namespace: 'x', serviceaccount: { name: 'a', uid: 'u' } } },
        'etl',
      ),
      named('okta', 'sub', { sub: 'me' }, { sub: 'you' }, 'me'),
      named(
        'connection',
        'sub',
        { sub: 'sc://contoso/Retail/gateway' },
        { sub: 'sc://contoso/Retail/other' },
        'sc://contoso/Retail/gateway',
      ),
      named('own', 'def_id', { def_id: '7' }, { def_id: '8' }, '7'),
      binding({
        name: 'pod',
        issuer: 'cluster',
        match: { all: [{ claim: 'sub', equals: 'system:serviceaccount:etl:runner' }] },
        examples: {
          allow: [{ claims: { sub: 'system:serviceaccount:etl:runner' } }],
          deny: [{ claims: { sub: 'system:serviceaccount:x:runner' } }],
        },
      }),
    ];
    assert.deepEqual(exampleProblems(policyFrom({ issuers, bindings })), []);
  });

  describe('tries the family of a task', () => {
    const identities = {
      loader: { files: [{ audience: 'a', variable: 'A_FILE' }] },
      other: { files: [{ audience: 'a', variable: 'A_FILE' }] },
    };
    const taskIdentities = [{ tasks: ['Load*'], identity: 'loader' }, { tasks: ['Check'] }];
    const fields = { identities, roles: { sales: { ...ROLE, taskIdentities } } };
    const tried = (example: Fields, bound: Fields = {}, bindings: readonly Fields[] = []) => {
      const one = { claims: SEVEN, ...example };
      return outcomes(one, one, bound, { ...fields, bindings });
    };
    const found: readonly (readonly [string, readonly string[], readonly string[]])[] = [
      ['that has a token', tried({ family: 'LoadOrders' }), ['pass allowed', "FAIL allowed by 'sales'"]],
      [
        'that has none',
        tried({ family: 'Publish' }),
        ['FAIL refused: family (family)', 'pass refused: family (family)'],
      ],
      [
        'with its identity',
        tried({ family: 'LoadOrders', identity: 'loader' }),
        ['pass allowed', "FAIL allowed by 'sales'"],
      ],
      [
        'with another identity',
        tried({ family: 'LoadOrders', identity: 'other' }),
        ['FAIL refused: identity (identity)', 'pass refused: identity (identity)'],
      ],
      [
        'with no identity',
        tried({ family: 'Check', identity: 'loader' }),
        ['FAIL refused: identity (identity)', 'pass refused: identity (identity)'],
      ],
      [
        'that the binding leaves out',
        tried({ family: 'Check' }, { taskFamilies: ['Load*'] }),
        ['FAIL refused: binding-family (family)', 'pass refused: binding-family (family)'],
      ],
      [
        'that another binding does not leave out',
        tried({ family: 'Check' }, { taskFamilies: ['Load*'] }, [wide]),
        ['FAIL refused: binding-family (family)', "FAIL allowed by 'wide'"],
      ],
      [
        'in enforcement where the mode is report',
        tried({ family: 'Publish' }, { mode: 'report' }),
        ['FAIL refused: family (family)', 'pass refused: family (family)'],
      ],
    ];
    for (const [what, actual, expected] of found) it(what, () => assert.deepEqual(actual, expected));
  });

  describe('tries viewers and calls that bring nothing', () => {
    const roles = { sales: { ...ROLE, namespaces: ['sales'] }, stock: { ...ROLE, namespaces: ['stock'] } };
    const named = (list: 'viewers' | 'bindings', entries: readonly Fields[], fields: Fields = {}) =>
      testPolicy(policyFrom({ roles, [list]: entries, ...fields }))
        .filter(({ binding: rule }) => rule === 'it')
        .map(({ passed, outcome }) => `${passed ? 'pass' : 'FAIL'} ${outcome}`);
    const member = (group: string) => ({ claims: { groups: [group] } });
    const viewer = (name: string, fields: Fields = {}) => ({
      name,
      match: { all: [{ claim: 'groups', equals: name }] },
      roles: ['sales'],
      access: 'read',
      examples: { allow: [member(name)], deny: [member('more')] },
      ...fields,
    });
    const more = (fields: Fields) =>
      viewer('more', { examples: { allow: [member('more')], deny: [member('x')] }, ...fields });
    const good = ['pass allowed', 'pass refused: claim-mismatch (claim groups)'];
    const found: readonly (readonly [string, readonly string[], readonly string[]])[] = [
      ['a person', named('viewers', [viewer('it')]), good],
      [
        'a person whom another viewer gives as much',
        named('viewers', [viewer('it'), more({})]),
        ['pass allowed', "FAIL allowed by 'more'"],
      ],
      [
        'a person whom another viewer gives everything',
        named('viewers', [viewer('it'), more({ roles: 'all', access: 'operate' })]),
        ['pass allowed', "FAIL allowed by 'more'"],
      ],
      [
        'a person whom another viewer gives less',
        named('viewers', [viewer('it', { access: 'operate' }), more({})]),
        good,
      ],
      [
        'a person whom another viewer gives something else',
        named('viewers', [viewer('it'), more({ roles: ['stock'] })]),
        good,
      ],
      [
        'a person whom another viewer gives a part',
        named('viewers', [viewer('it', { roles: 'all' }), more({ roles: ['sales', 'stock'] })]),
        good,
      ],
      [
        'a person whom another viewer gives as much for a time',
        named('viewers', [viewer('it'), more({ until: '2026-12-01', reason: 'x' })]),
        good,
      ],
      [
        'the wrong person',
        named('viewers', [viewer('it', { examples: { allow: [member('x')], deny: [member('it')] } })]),
        ['FAIL refused: claim-mismatch (claim groups)', 'FAIL allowed'],
      ],
      [
        'a person outside the period',
        named('viewers', [
          viewer('it', {
            until: '2026-12-01',
            reason: 'x',
            examples: { allow: [member('it')], deny: [{ ...member('it'), at: '2027-01-01' }] },
          }),
        ]),
        ['pass allowed', 'pass refused: outside-period (from, until)'],
      ],
    ];
    for (const [what, actual, expected] of found) it(what, () => assert.deepEqual(actual, expected));

    const from = (address: string) => ({ claims: { address } });
    const anonymous = (name: string, glob: string, fields: Fields = {}) => ({
      name,
      issuer: 'anonymous',
      match: { all: [{ claim: 'address', glob }] },
      roles: ['sales'],
      mode: 'enforce',
      examples: { allow: [from('10.1.2.3')], deny: [from('10.2.2.3')] },
      ...fields,
    });
    const one = anonymous('it', '10.1.*.*');
    const refused = 'pass refused: claim-mismatch (claim address)';
    const calls: readonly (readonly [string, readonly string[], readonly string[]])[] = [
      ['an address, whatever the mode', named('bindings', [one]), ['pass allowed', refused]],
      [
        'an address of another binding too',
        named('bindings', [one, anonymous('all', '**')]),
        ['pass allowed', "FAIL allowed by 'all'"],
      ],
      [
        'an address of another role',
        named('bindings', [one, anonymous('all', '**', { roles: ['stock'] })]),
        ['pass allowed', refused],
      ],
      [
        'an address that a deny rule refuses',
        named('bindings', [one, anonymous('all', '**')], {
          deny: [{ name: 'no', reason: 'x', match: { all: [{ claim: 'address', equals: '10.2.2.3' }] } }],
        }),
        ['pass allowed', refused],
      ],
      [
        'the wrong addresses',
        named('bindings', [anonymous('it', '10.2.*.*')]),
        ['FAIL refused: claim-mismatch (claim address)', "FAIL allowed by 'it'"],
      ],
    ];
    for (const [what, actual, expected] of calls) it(what, () => assert.deepEqual(actual, expected));
  });

  it('tells where the example stands', () => {
    const [problem] = exampleProblems(
      policyFrom({ bindings: [binding({ examples: { allow: [{ claims: EIGHT }], deny: [{ claims: EIGHT }] } })] }),
    );
    assert.deepEqual(
      [problem?.field, problem?.message],
      [
        'bindings[0].examples.allow[0]',
        'the example must be allowed, but it is refused: claim-mismatch (claim project_id)',
      ],
    );
  });
});
