import assert from 'node:assert/strict';
import { anonymousCaller } from '#gateway/policy/anonymous-caller.ts';
import { binding, NOW, permission, policyFrom, policyText, problemsOf, ROLE } from '../../../support/sample-policy.ts';

type Fields = Readonly<Record<string, unknown>>;

const ROLES = {
  sales: { ...ROLE, namespaces: ['sales', ''] },
  stock: { ...ROLE, namespaces: ['stock'] },
  plain: ROLE,
};

function viewer(fields: Fields = {}): Fields {
  return {
    name: 'team',
    match: { all: [{ claim: 'groups', equals: 'team' }] },
    roles: ['sales'],
    access: 'read',
    examples: { allow: [{ claims: { groups: ['team'] } }], deny: [{ claims: { groups: ['nobody'] } }] },
    ...fields,
  };
}

function anonymous(fields: Fields = {}): Fields {
  return {
    name: 'old-hosts',
    issuer: 'anonymous',
    match: { all: [{ claim: 'address', glob: '10.1.*.*' }] },
    roles: ['sales'],
    mode: 'report',
    examples: { allow: [{ claims: { address: '10.1.2.3' } }], deny: [{ claims: { address: '10.2.2.3' } }] },
    ...fields,
  };
}

const group = (name: string) => ({ match: { all: [{ claim: 'groups', equals: name }] } });
const policyOf = (fields: Fields) => policyFrom({ roles: ROLES, ...fields });
const problems = (fields: Fields) =>
  problemsOf(policyText({ roles: ROLES, ...fields })).map((problem) => problem.replace(/^\d+:/, ''));

describe('what a person may do with luigid', () => {
  const team = viewer();
  const operators = viewer({ name: 'operators', ...group('ops'), roles: ['stock'], access: 'operate' });
  const readers = viewer({ name: 'readers', ...group('readers'), roles: 'all' });
  const admins = viewer({ name: 'admins', ...group('admins'), roles: 'all', access: 'admin' });
  const policy = policyOf({ viewers: [team, operators, readers, admins] });
  const rows: readonly (readonly [string, readonly string[], Fields | undefined])[] = [
    ['nothing for somebody whom no viewer knows', ['x'], undefined],
    [
      'to see the namespaces of its roles',
      ['team'],
      { read: ['sales', ''], operate: [], admin: false, rules: ['team'] },
    ],
    [
      'to change what it operates',
      ['ops'],
      { read: ['stock'], operate: ['stock'], admin: false, rules: ['operators'] },
    ],
    [
      'to see what one viewer shows and to change only what another lets',
      ['team', 'ops'],
      { read: ['sales', '', 'stock'], operate: ['stock'], admin: false, rules: ['team', 'operators'] },
    ],
    [
      'to see everything and change a part',
      ['readers', 'ops'],
      { read: 'all', operate: ['stock'], admin: false, rules: ['operators', 'readers'] },
    ],
    ['everything', ['admins', 'team'], { read: 'all', operate: 'all', admin: true, rules: ['team', 'admins'] }],
  ];
  for (const [what, groups, expected] of rows)
    it(`is ${what}`, () => {
      const found = policy.viewer({ groups, sub: 'somebody' }, NOW);
      assert.deepEqual(found, expected && { ...expected, policy: policy.sha256 });
    });

  it('is nothing where no policy speaks of viewers, and for nobody', () => {
    assert.equal(policyOf({}).viewer({ groups: ['team'] }, NOW), undefined);
    assert.equal(policy.viewer({}, NOW), undefined);
  });

  it('ends by itself', () => {
    const until = policyOf({ viewers: [viewer({ until: '2026-11-20', reason: 'x' })] });
    assert.equal(until.viewer({ groups: ['team'] }, NOW), undefined);
    assert.ok(until.viewer({ groups: ['team'] }, Date.parse('2026-11-19T23:59:59Z')));
    assert.equal(until.viewer({ groups: ['team'] }, Number.NaN), undefined);
  });

  it('is not a matter of deny rules, which are of runs', () => {
    const denied = policyOf({ viewers: [team], deny: [{ name: 'stop', reason: 'x' }] });
    assert.ok(denied.viewer({ groups: ['team'] }, NOW));
  });

  it('never lets a person start a run', () => {
    const person = {
      ...permission().caller,
      issuer: 'viewer',
      iss: 'https://login.example.com',
      claims: { groups: ['admins'] },
    };
    assert.equal(policy.decide(permission({ caller: person }), NOW).allowed, false);
  });

  const refused: readonly (readonly [string, Fields, string])[] = [
    [
      'admin of some roles',
      { access: 'admin' },
      'viewers[0].access: needs `roles: all`: luigid as a whole is of no role',
    ],
    [
      'a role without namespaces',
      { roles: ['plain'] },
      'viewers[0].roles[0]: has no `namespaces`, so that it gives nothing here',
    ],
    ['a role that is not there', { roles: ['x'] }, 'viewers[0].roles[0]: is not one of `roles`'],
    ['some word for roles', { roles: 'every' }, 'viewers[0].roles: must be `all`, or a list of roles'],
    ['no roles', { roles: [] }, 'viewers[0].roles: must have at least 1 entry'],
    ['no condition', { match: { all: [] } }, 'viewers[0].match.all: must have at least 1 entry'],
    [
      'what a claim must not be',
      { match: { all: [{ claim: 'groups', exists: false }] } },
      'viewers[0].match.all[0].exists: must be true',
    ],
    [
      'run facts',
      { match: { all: [{ claim: 'groups', equals: 'x', runFacts: true }] } },
      'viewers[0].match.all[0].runFacts: is nothing that a person has',
    ],
    ['an unknown access', { access: 'write' }, 'viewers[0].access: must be one of read, operate, admin'],
    ['no examples', { examples: undefined }, 'viewers[0].examples: is missing'],
    ['an end without a reason', { until: '2027-01-01' }, 'viewers[0].reason: is needed with `from` or `until`'],
    [
      'the name of a binding',
      { name: 'sales' },
      'viewers[0].name: is the name of another binding, deny rule, credential or viewer too',
    ],
    [
      'an example of no time',
      { examples: { allow: [{ claims: {}, at: '2026-02-30' }], deny: [{ claims: {} }] } },
      'viewers[0].examples.allow[0].at: is a day or time that does not exist',
    ],
  ];
  for (const [what, fields, expected] of refused)
    it(`is refused for ${what}`, () => assert.deepEqual(problems({ viewers: [viewer(fields)] }), [expected]));
});

describe('what a call that brings nothing may do with luigid', () => {
  const policy = policyOf({ bindings: [binding(), anonymous()] });
  const addresses: readonly (readonly [string, boolean])[] = [
    ['10.1.2.3', true],
    ['10.2.2.3', false],
    ['::ffff:10.1.2.3', true],
    ['::ffff:a01:203', true],
    ['::FFFF:10.2.2.3', false],
    ['10.1.2.3%eth0', false],
    ['10.1.2', false],
    ['10.1.2.3.4', false],
    ['010.1.2.3', false],
    ['10.1.2.3, 192.0.2.1', false],
    ['10.1.2.3\n', false],
    ['', false],
    ['unknown', false],
  ];
  for (const [address, isKnown] of addresses)
    it(`is ${isKnown ? 'what the roles of its binding have' : 'nothing'} for ${JSON.stringify(address)}`, () => {
      const permitted = {
        read: ['sales', ''],
        operate: ['sales', ''],
        admin: false,
        rules: ['old-hosts'],
        policy: policy.sha256,
      };
      const expected = isKnown ? { permission: permitted, binding: 'old-hosts' } : undefined;
      assert.deepEqual(policy.anonymous(address, NOW), expected);
    });

  it('knows one address of IPv6 however it is written', () => {
    const match = { all: [{ claim: 'address', equals: '2001:db8::1' }] };
    const six = policyOf({ bindings: [anonymous({ match })] });
    for (const address of ['2001:db8::1', '2001:DB8:0:0:0:0:0:1', '2001:0db8::0001', '2001:db8::1%eth0'])
      assert.ok(six.anonymous(address, NOW), address);
    assert.equal(six.anonymous('2001:db8::2', NOW), undefined);
  });

  const names = (bindings: readonly Fields[], fields: Fields = {}) =>
    policyOf({ bindings, ...fields }).anonymous('10.1.2.3', NOW)?.permission.read;
  const other = (fields: Fields = {}) => anonymous({ name: 'other', roles: ['sales', 'stock'], ...fields });

  it('is nothing in enforcement, and nothing without a binding', () => {
    assert.equal(names([anonymous({ mode: 'enforce' })]), undefined);
    assert.equal(names([binding()]), undefined);
  });

  it('is what all bindings that report give together', () =>
    assert.deepEqual(names([anonymous(), other()]), ['sales', '', 'stock']));

  it('is nothing of a role that one binding enforces, in any order', () => {
    assert.deepEqual(names([anonymous({ mode: 'enforce' }), other()]), ['stock']);
    assert.deepEqual(names([other(), anonymous({ mode: 'enforce' })]), ['stock']);
    assert.equal(names([anonymous(), other({ mode: 'enforce' })]), undefined);
  });

  it('is not a matter of what is enforced for other addresses or at other times', () => {
    const elsewhere = anonymous({
      name: 'x',
      mode: 'enforce',
      match: { all: [{ claim: 'address', glob: '10.2.*.*' }] },
    });
    const over = anonymous({ name: 'x', mode: 'enforce', until: '2026-11-01', reason: 'x' });
    for (const one of [elsewhere, over]) assert.deepEqual(names([one, anonymous()]), ['sales', '']);
  });

  it('ends by itself', () => assert.equal(names([anonymous({ until: '2026-11-20', reason: 'x' })]), undefined));

  const denials: readonly (readonly [string, Fields, readonly string[] | undefined])[] = [
    ['that stops everything', {}, undefined],
    ['of such calls', { issuer: 'anonymous' }, undefined],
    [
      'of such calls from an address',
      { issuer: 'anonymous', match: { all: [{ claim: 'address', equals: '10.1.2.3' }] } },
      undefined,
    ],
    [
      'of another address',
      { issuer: 'anonymous', match: { all: [{ claim: 'address', equals: '10.1.2.4' }] } },
      ['sales', '', 'stock'],
    ],
    ['of one role', { roles: ['sales'] }, ['stock']],
    ['of another issuer', { issuer: 'gitlab' }, ['sales', '', 'stock']],
    ['of credentials of old', { issuer: 'legacy' }, ['sales', '', 'stock']],
    ['that is over', { until: '2026-11-01' }, ['sales', '', 'stock']],
  ];
  for (const [what, rule, expected] of denials)
    it(`heeds a deny rule ${what}`, () =>
      assert.deepEqual(names([other()], { deny: [{ name: 'no', reason: 'x', ...rule }] }), expected));

  it('is never a run, whatever it claims to be', () => {
    const caller = anonymousCaller('10.1.2.3') ?? assert.fail();
    for (const mode of ['report', 'enforce']) {
      const open = policyOf({ bindings: [anonymous({ mode }), binding()], mode: 'report' });
      for (const one of [caller, { ...caller, claims: { project_id: '7' } }, { ...caller, use: 'once' as const }]) {
        const decision = open.decide(permission({ caller: one }), NOW);
        assert.deepEqual(
          [decision.allowed, decision.reasons],
          [false, [{ reason: 'unknown-issuer', field: 'issuer' }]],
        );
        assert.equal(open.decideTask(decision, 'T').reason, 'run-denied');
      }
    }
  });

  const only = (fields: Fields) => ({ bindings: [anonymous(fields)] });
  const refused: readonly (readonly [string, Fields, string])[] = [
    [
      'no mode of its own',
      { ...only({ mode: undefined }), mode: 'report' },
      'bindings[0].mode: is needed for the issuer `anonymous`',
    ],
    [
      'another claim',
      only({ match: { all: [{ claim: 'sub', equals: 'x' }] } }),
      'bindings[0].match.all[0].claim: must be `address` for the issuer `anonymous`',
    ],
    [
      'a pointer to the claim',
      only({ match: { all: [{ claim: '/address', equals: 'x' }] } }),
      'bindings[0].match.all[0].claim: must be `address` for the issuer `anonymous`',
    ],
    [
      'run facts',
      only({ runFactsIssuer: 'pipelines' }),
      'bindings[0].runFactsIssuer: has no meaning for the issuer `anonymous`',
    ],
    [
      'requirements',
      only({ require: { approval: true } }),
      'bindings[0].require: has no meaning for the issuer `anonymous`',
    ],
    [
      'families of tasks',
      only({ taskFamilies: ['*'] }),
      'bindings[0].taskFamilies: has no meaning for the issuer `anonymous`',
    ],
    [
      'a role without namespaces',
      only({ roles: ['plain'] }),
      'bindings[0].roles[0]: has no `namespaces`, so that it gives nothing here',
    ],
    [
      'an example of a run',
      only({
        examples: {
          allow: [{ claims: { address: '10.1.2.3' }, run: { module: 'm', task: 'T' } }],
          deny: [{ claims: { address: '::1' } }],
        },
      }),
      'bindings[0].examples.allow[0].run: has no meaning for the issuer `anonymous`',
    ],
    [
      'an example of no address',
      only({ examples: { allow: [{ claims: { address: '10.1.2.3' } }], deny: [{ claims: { address: 'x' } }] } }),
      'bindings[0].examples.deny[0].claims: must be an `address` and nothing else',
    ],
    [
      'an issuer of that name',
      {
        issuers: { anonymous: { profile: 'gitlab', issuer: 'https://gitlab.example.com', audiences: ['x'] } },
        bindings: [],
      },
      'issuers.anonymous: is a name that the gateway keeps for itself',
    ],
  ];
  for (const [what, fields, expected] of refused)
    it(`is refused for ${what}`, () => assert.deepEqual(problems(fields), [expected]));
});
