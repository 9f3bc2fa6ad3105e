import assert from 'node:assert/strict';
import { lintPolicy } from '#gateway/policy/lint-policy.ts';
import { binding, GATEWAY, ISSUERS, NOW, policyFrom, ROLE, TENANT } from '../../../support/sample-policy.ts';

type Fields = Readonly<Record<string, unknown>>;

/** `rule field` of each finding. */
const lints = (fields: Fields) => lintPolicy(policyFrom(fields), NOW).map(({ rule, field }) => `${rule} ${field}`);

const examples = { allow: [{ claims: {} }], deny: [{ claims: {} }] };
const bound = (issuer: Fields, conditions: readonly Fields[], fields: Fields = {}) => ({
  issuers: { it: issuer },
  bindings: [binding({ issuer: 'it', match: { all: conditions }, examples, ...fields })],
});
const facts = (...claims: string[]) => claims.map((claim) => ({ claim, equals: 'x', runFacts: true }));
const gitlab = (conditions: readonly Fields[], fields: Fields = {}) => bound(ISSUERS.gitlab, conditions, fields);
const github = (conditions: readonly Fields[]) =>
  bound({ profile: 'github', issuer: 'https://token.actions.githubusercontent.com', audiences: [GATEWAY] }, conditions);
const azure = (own: readonly Fields[], beside: readonly Fields[]) => ({
  issuers: { entra: ISSUERS.entra, pipelines: ISSUERS.pipelines },
  bindings: [binding({ issuer: 'entra', runFactsIssuer: 'pipelines', match: { all: [...own, ...beside] }, examples })],
});
const oid = { claim: 'oid', equals: 'x' };
const roles = (map: Readonly<Record<string, Fields>>) => ({
  issuers: { gitlab: ISSUERS.gitlab },
  roles: Object.fromEntries(Object.entries(map).map(([name, role]) => [name, { ...ROLE, ...role }])),
  bindings: [
    binding({
      match: {
        all: [
          { claim: 'project_id', equals: '7' },
          { claim: 'ref', equals: 'main' },
        ],
      },
      roles: Object.keys(map),
      examples: {
        allow: [{ claims: {}, role: Object.keys(map)[0] }],
        deny: [{ claims: {}, role: Object.keys(map)[0] }],
      },
    }),
  ],
});
const protectedRef = { claim: 'ref_protected', equals: 'true' };
const clean = gitlab([{ claim: 'project_id', equals: '7' }, protectedRef]);

const FILE = { files: [{ audience: 'vault', variable: 'VAULT_JWT_FILE' }] };
const CLIENT = { azure: { clientId: TENANT, tenantId: TENANT } };
const ALL = [{ tasks: ['**'], identity: 'it' }];
const END = { until: '2026-12-01', reason: 'x' };
/** A role `a` whose tasks have identities, and others. */
const families = (role: Fields, identities: Fields, more: Readonly<Record<string, Fields>> = {}) => ({
  ...roles({ a: { unixUser: 'u-a', taskIdentities: ALL, ...role }, ...more }),
  identities,
});
const spaced = (role: Fields) => roles({ a: role });
const address = (condition: Fields) => ({ all: [{ claim: 'address', ...condition }] });
const anonymous = (fields: Fields) => ({
  issuers: { gitlab: ISSUERS.gitlab },
  roles: { sales: { ...ROLE, namespaces: [''] } },
  bindings: [
    binding({
      issuer: 'anonymous',
      mode: 'report',
      match: address({ glob: '10.1.*.*' }),
      examples: { allow: [{ claims: { address: '10.1.2.3' } }], deny: [{ claims: { address: '::1' } }] },
      ...fields,
    }),
    binding({ name: 'other', match: { all: [{ claim: 'project_id', equals: '7' }, protectedRef] } }),
  ],
});
const viewersWith = (fields: Fields, ...conditions: readonly Fields[]) => ({
  ...clean,
  roles: { sales: { ...ROLE, namespaces: [''] } },
  viewers: [{ name: 'v', match: { all: conditions }, roles: 'all', access: 'read', examples, ...fields }],
});
const viewers = (...conditions: readonly Fields[]) => viewersWith({}, ...conditions);

describe('lintPolicy', () => {
  const rows: readonly (readonly [string, Fields, readonly string[]])[] = [
    ['nothing in a good policy', clean, []],
    ['nothing in a good policy for Azure', azure([oid], facts('prj_id', 'def_id', 'rpo_ref')), []],
    ['an Azure binding without its pipeline', azure([oid], facts('prj_id')), ['azure-unpinned bindings[0].match']],
    [
      'an Azure binding whose branch is only there',
      azure([oid], [...facts('prj_id', 'def_id'), { claim: 'rpo_ref', exists: true, runFacts: true }]),
      ['azure-unpinned bindings[0].match'],
    ],
    [
      'an Azure binding whose branch may be any',
      azure([oid], [...facts('prj_id', 'def_id'), { claim: 'rpo_ref', glob: 'refs/heads/**', runFacts: true }]),
      [],
    ],
    [
      'claims of a pipeline in the wrong token',
      azure(
        [oid, { claim: 'prj_id', equals: 'x' }, { claim: 'def_id', equals: '1' }, { claim: 'rpo_ref', equals: 'x' }],
        [],
      ),
      ['azure-unpinned bindings[0].match', 'shared-issuer bindings[0].match'],
    ],
    ['an Azure binding without run facts', bound(ISSUERS.entra, [oid]), ['azure-unpinned bindings[0].match']],
    [
      'an issuer of everybody without an id',
      github([{ claim: 'ref', equals: 'refs/heads/main' }]),
      ['shared-issuer bindings[0].match'],
    ],
    [
      'an issuer of everybody with an id that may be any',
      github([
        { claim: 'repository_id', exists: true },
        { claim: 'ref', equals: 'x' },
      ]),
      ['shared-issuer bindings[0].match'],
    ],
    [
      'nothing with an id of the owner',
      github([
        { claim: 'repository_owner_id', oneOf: ['1', '2'] },
        { claim: 'ref', equals: 'x' },
      ]),
      [],
    ],
    [
      'a tenant alone, which says nothing of who in it',
      { ...bound(ISSUERS.entra, [{ claim: 'tid', equals: TENANT }]) },
      ['azure-unpinned bindings[0].match', 'shared-issuer bindings[0].match'],
    ],
    [
      'a name of a repository without its id',
      github([
        { claim: 'repository', equals: 'a/b' },
        { claim: 'repository_owner_id', equals: '1' },
        { claim: 'ref', equals: 'x' },
      ]),
      ['mutable-name bindings[0].match.all[0].claim'],
    ],
    [
      'the subject of GitHub without an id',
      github([{ claim: 'sub', equals: 'repo:a/b:ref:refs/heads/main' }]),
      ['shared-issuer bindings[0].match', 'mutable-name bindings[0].match.all[0].claim'],
    ],
    [
      'a path of a project without its id',
      gitlab([{ claim: 'project_path', equals: 'a/b' }, protectedRef]),
      ['mutable-name bindings[0].match.all[0].claim'],
    ],
    [
      'nothing when the id stands beside it',
      gitlab([{ claim: 'project_path', equals: 'a/b' }, { claim: 'project_id', equals: '7' }, protectedRef]),
      [],
    ],
    [
      'a wildcard at the start',
      gitlab([
        { claim: 'project_id', equals: '7' },
        { claim: 'ref', glob: '*main' },
      ]),
      ['wildcard-start bindings[0].match.all[1].glob'],
    ],
    [
      'every branch of a project',
      gitlab([{ claim: 'project_id', equals: '7' }]),
      ['unprotected-ref bindings[0].match'],
    ],
    [
      'nothing when the ref must be protected',
      gitlab([{ claim: 'project_id', equals: '7' }], { require: { refProtected: true } }),
      [],
    ],
    ['report mode', { ...clean, mode: 'report' }, ['report-mode bindings[0]']],
    [
      'an audience of others without whose',
      bound({ ...ISSUERS.gitlab, sharedAudience: true }, [
        { claim: 'project_id', exists: true },
        { claim: 'ref', glob: 'v*' },
      ]),
      ['shared-audience bindings[0].match'],
    ],
    [
      'pipeline tokens as callers without their pipeline',
      bound({ ...ISSUERS.pipelines, factsOnly: false }, [
        { claim: 'prj_id', equals: 'x' },
        { claim: 'rpo_ref', equals: 'x' },
      ]),
      ['azure-unpinned bindings[0].match', 'shared-audience bindings[0].match'],
    ],
    [
      'an issuer that nobody is bound to',
      { ...clean, issuers: { it: ISSUERS.gitlab, other: { ...ISSUERS.gitlab, audiences: ['x'] } } },
      ['unused-issuer issuers.other'],
    ],
    [
      'what auth finds doubtful',
      bound({ ...ISSUERS.gitlab, use: 'untilExpiry' }, [{ claim: 'project_id', equals: '7' }, protectedRef]),
      ['issuer issuers.it.use'],
    ],
    ['a role that nobody has', { ...clean, roles: { sales: ROLE, other: ROLE } }, ['unused-role roles.other']],
    ['a role of any module', roles({ sales: { modules: ['**'] } }), ['wildcard-start roles.sales.modules[0]']],
    [
      'a role of any parameter',
      roles({ sales: { otherParameters: true } }),
      ['other-parameters roles.sales.otherParameters'],
    ],
    [
      'two identities of one Unix user',
      roles({ a: { workerIdentity: 'one', unixUser: 'u' }, b: { workerIdentity: 'two', unixUser: 'u' } }),
      ['worker-isolation roles.b'],
    ],
    [
      'two identities of no Unix user',
      roles({ a: { workerIdentity: 'one' }, b: { workerIdentity: 'two' } }),
      ['worker-isolation roles.b'],
    ],
    ['an identity beside none', roles({ a: {}, b: { workerIdentity: 'two' } }), ['worker-isolation roles.b']],
    [
      'nothing with two Unix users',
      roles({ a: { workerIdentity: 'one', unixUser: 'u' }, b: { workerIdentity: 'two', unixUser: 'v' } }),
      [],
    ],
    [
      'nothing when one of them says why',
      roles({ a: { workerIdentity: 'one' }, b: { workerIdentity: 'one', sharedIdentity: 'both only read' } }),
      [],
    ],
    [
      'an identity that may be of production by its name',
      roles({ stage: { environment: 'staging', workerIdentity: 'uami-pre-prod' } }),
      ['production-identity roles.stage.workerIdentity'],
    ],
    [
      'identities of tasks under one Unix user with those of another role',
      families({ unixUser: 'u' }, { it: FILE }, { b: { unixUser: 'u' } }),
      ['worker-isolation roles.b'],
    ],
    [
      'nothing with one identity under one Unix user',
      families({ unixUser: 'u' }, { it: { ...FILE, sharedBy: 'x' } }, { b: { unixUser: 'u', taskIdentities: ALL } }),
      [],
    ],
    [
      'tasks with tokens that run as the gateway',
      families({ unixUser: undefined }, { it: FILE }),
      ['worker-isolation roles.a.taskIdentities'],
    ],
    ['an identity that no role has', families({}, { it: FILE, other: FILE }), ['unused-identity identities.other']],
    [
      'two names of one identity',
      families(
        {
          taskIdentities: [
            { tasks: ['T'], identity: 'it' },
            { tasks: ['*'], identity: 'b' },
          ],
        },
        { it: CLIENT, b: CLIENT },
      ),
      ['same-identity identities.b'],
    ],
    [
      'families of a role that no entry names',
      families({ tasks: ['Load*', 'Publish'], taskIdentities: [{ tasks: ['Load*'], identity: 'it' }] }, { it: FILE }),
      ['uncovered-family roles.a.tasks'],
    ],
    [
      'nothing when the entries name all families together',
      families(
        { tasks: ['Load*', 'Publish'], taskIdentities: [{ tasks: ['L*'], identity: 'it' }, { tasks: ['P*'] }] },
        { it: FILE },
      ),
      [],
    ],
    [
      'an entry that those before it hide',
      families({ taskIdentities: [{ tasks: ['**'], identity: 'it' }, { tasks: ['Load'] }] }, { it: FILE }),
      ['unreachable roles.a.taskIdentities[1]'],
    ],
    [
      'a role without namespaces beside one that has some',
      roles({ a: { namespaces: [''] }, b: {}, c: { scheduler: 'local' } }),
      ['no-namespaces roles.b'],
    ],
    [
      'tasks outside of the namespaces of their role',
      spaced({ namespaces: ['x'] }),
      ['outside-namespaces roles.a.tasks'],
    ],
    [
      'tasks that may be outside of the namespaces',
      spaced({ namespaces: ['x'], tasks: ['**'] }),
      ['outside-namespaces roles.a.tasks'],
    ],
    ['nothing with tasks in the namespaces', spaced({ namespaces: ['x', ''], tasks: ['x.**', '*'] }), []],
    ['nothing with tasks at another scheduler', spaced({ namespaces: ['x'], scheduler: 'local' }), []],
    [
      'everybody without a credential',
      anonymous({ match: address({ glob: '**' }), ...END }),
      ['anonymous-open bindings[0]', 'report-mode bindings[0]'],
    ],
    [
      'every address of IPv4',
      anonymous({ match: address({ glob: '*.*.*.*' }), ...END }),
      ['anonymous-open bindings[0]', 'report-mode bindings[0]'],
    ],
    [
      'any address',
      anonymous({ match: address({ exists: true }), ...END }),
      ['anonymous-open bindings[0]', 'report-mode bindings[0]'],
    ],
    ['addresses that never move over', anonymous({}), ['anonymous-open bindings[0]', 'report-mode bindings[0]']],
    ['only the mode of addresses that end', anonymous(END), ['report-mode bindings[0]']],
    ['nothing of addresses that are enforced', anonymous({ mode: 'enforce' }), []],
    [
      'viewers by a name that passes on',
      viewers({ claim: 'email', equals: 'a@example.com' }),
      ['mutable-name viewers[0].match.all[0].claim'],
    ],
    [
      'nothing of a name beside an id',
      viewers({ claim: 'email', equals: 'a@example.com' }, { claim: 'oid', equals: 'x' }),
      [],
    ],
    [
      'viewers by the end of a name',
      viewers({ claim: 'groups', glob: '*-admins' }),
      ['wildcard-start viewers[0].match.all[0].glob'],
    ],
    [
      'viewers that are everybody',
      viewers({ claim: 'sub', exists: true }, { claim: 'iss', equals: 'x' }),
      ['open-viewer viewers[0].match'],
    ],
    [
      'a viewer whose time is over',
      viewersWith({ until: '2026-11-01', reason: 'x' }, { claim: 'groups', equals: 'x' }),
      ['unreachable viewers[0]'],
    ],
    [
      'a vault of production',
      roles({ 'sales-test': { secrets: [{ vault: 'kv-sales-prod', secret: 's', target: 'file', name: 'f' }] } }),
      ['production-identity roles.sales-test.secrets[0].vault'],
    ],
    [
      'a vault of production in its own role',
      roles({
        sales: {
          environment: 'production',
          secrets: [{ vault: 'kv-sales-prod', secret: 's', target: 'file', name: 'f' }],
        },
      }),
      [],
    ],
  ];
  for (const [what, policy, expected] of rows) it(`finds ${what}`, () => assert.deepEqual(lints(policy), expected));

  describe('finds a binding that decides nothing', () => {
    const all = [{ claim: 'project_id', equals: '7' }, protectedRef];
    const later = binding({ name: 'later', match: { all: [...all, { claim: 'ref', equals: 'main' }] } });
    const first = (fields: Fields = {}) => binding({ name: 'first', match: { all }, ...fields });
    const rule = { name: 'stop', reason: 'x' };
    const found: readonly (readonly [string, Fields, readonly string[]])[] = [
      [
        'because its time is over',
        { bindings: [first({ until: '2026-11-01', reason: 'x' })] },
        ['unreachable bindings[0]'],
      ],
      ['because one before it allows as much', { bindings: [first(), later] }, ['unreachable bindings[1]']],
      [
        'because a deny rule covers it',
        { bindings: [first()], deny: [{ ...rule, issuer: 'gitlab', match: { all: [protectedRef] } }] },
        ['unreachable bindings[0]'],
      ],
      ['but not when the one before it ends', { bindings: [first({ until: '2027-01-01', reason: 'x' }), later] }, []],
      [
        'but not when the one before it asks for more',
        { bindings: [first({ require: { approval: true } }), later] },
        [],
      ],
      ['but not when the one before it knows fewer', { bindings: [later, first()] }, []],
      [
        'but not when a deny rule is of another role',
        { bindings: [first()], roles: { sales: ROLE, other: ROLE }, deny: [{ ...rule, roles: ['other'] }] },
        ['unused-role roles.other'],
      ],
      ['but not when a deny rule ends', { bindings: [first()], deny: [{ ...rule, until: '2027-01-01' }] }, []],
    ];
    for (const [why, fields, expected] of found)
      it(why, () => assert.deepEqual(lints({ issuers: { gitlab: ISSUERS.gitlab }, ...fields }), expected));
  });

  it('finds credentials of old that are over, or hardly will be', () => {
    const legacy = ['2026-11-01', '2026-12-01', '2028-01-01'].map((until, i) => ({
      name: `c${i}`,
      sha256: String(i).repeat(64),
      until,
      roles: ['sales'],
    }));
    assert.deepEqual(lints({ ...clean, legacy }), ['legacy-end legacy[2].until', 'legacy-end legacy[0].until']);
  });

  it('says where, how grave, why and what to do, the gravest first', () => {
    const found = lintPolicy(policyFrom({ ...github([{ claim: 'repository', equals: 'a/b' }]), mode: 'report' }), NOW);
    assert.deepEqual(
      found.map(({ severity }) => severity),
      ['high', 'medium', 'medium', 'low'],
    );
    for (const { file, line, column, message, remedy } of found) {
      assert.ok(file === 'policy.yaml' && line > 1 && column > 1);
      assert.match(remedy, /^[A-Z].*\.$/);
      assert.match(message, /^[^A-Z]/);
    }
  });

  it('takes a policy of the largest size that is allowed', () => {
    const bindings = Array.from({ length: 1_000 }, (_, i) =>
      binding({ name: `b${i}`, match: { all: [{ claim: 'project_id', equals: `${i}` }, protectedRef] } }),
    );
    assert.deepEqual(lints({ issuers: { gitlab: ISSUERS.gitlab }, bindings }), []);
  });
});
