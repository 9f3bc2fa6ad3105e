import assert from 'node:assert/strict';
import type { TokenTarget } from '#gateway/policy/task-identity.ts';
import { binding, caller, NOW, permission, policyFrom, ROLE } from '../../../support/sample-policy.ts';

type Fields = Readonly<Record<string, unknown>>;

const CLIENT = '8a1c2e3f-0b4d-4c5e-9f60-7182930a4b5c';
const TENANT = '4F1C6C5E-2B7A-4D0E-9A53-6C1F0B8D7E21';
const PROVIDER =
  '//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/plumbline/providers/gateway';
const AZURE = { clientId: CLIENT, tenantId: TENANT };
const IDENTITIES = {
  loader: { azure: AZURE },
  publisher: { files: [{ audience: 'vault', variable: 'VAULT_JWT_FILE' }] },
};
const ENTRIES = [
  { tasks: ['Load*'], identity: 'loader' },
  { tasks: ['Publish', 'retail.**'], identity: 'publisher' },
  { tasks: ['Check*'] },
];

/** A policy with one role of task identities, whose binding may say more. */
function policyWith(bound: Fields = {}, role: Fields = {}, fields: Fields = {}) {
  return policyFrom({
    identities: IDENTITIES,
    roles: { sales: { ...ROLE, taskIdentities: ENTRIES, ...role }, plain: ROLE },
    bindings: [
      binding({ roles: ['sales', 'plain'], ...bound, examples: { allow: [example()], deny: [example('8')] } }),
    ],
    ...fields,
  });
}

function example(project = '7'): Fields {
  return { claims: { project_id: project }, role: 'sales' };
}

function targetsOf(identity: Fields): readonly TokenTarget[] | undefined {
  const policy = policyWith({}, {}, { identities: { ...IDENTITIES, loader: identity } });
  return policy.roles.get('sales')?.taskIdentities?.[0]?.identity?.targets;
}

describe('identities of a policy', () => {
  it('have what their clouds take for granted, in the order in which a task gets them', () => {
    const targets = targetsOf({
      files: [{ audience: 'https://vault.example.com', variable: 'VAULT_JWT_FILE' }],
      google: { provider: PROVIDER, serviceAccount: 'loader@retail-1.iam.gserviceaccount.com' },
      aws: { roleArn: 'arn:aws:iam::123456789012:role/sales/loader', region: 'eu-central-1' },
      azure: AZURE,
    });
    assert.deepEqual(targets, [
      {
        kind: 'azure',
        audience: 'api://AzureADTokenExchange',
        clientId: CLIENT,
        tenantId: TENANT.toLowerCase(),
        authorityHost: 'https://login.microsoftonline.com',
      },
      {
        kind: 'aws',
        audience: 'sts.amazonaws.com',
        roleArn: 'arn:aws:iam::123456789012:role/sales/loader',
        region: 'eu-central-1',
      },
      {
        kind: 'google',
        audience: `https:${PROVIDER}`,
        provider: PROVIDER,
        serviceAccount: 'loader@retail-1.iam.gserviceaccount.com',
      },
      { kind: 'file', audience: 'https://vault.example.com', variable: 'VAULT_JWT_FILE' },
    ]);
  });

  const clouds: readonly (readonly [string, string])[] = [
    ['https://login.microsoftonline.com', 'api://AzureADTokenExchange'],
    ['https://login.microsoftonline.us', 'api://AzureADTokenExchangeUSGov'],
    ['https://login.partner.microsoftonline.cn', 'api://AzureADTokenExchangeChina'],
    ['https://login.chinacloudapi.cn', 'api://AzureADTokenExchangeChina'],
  ];
  for (const [authorityHost, audience] of clouds)
    it(`ask ${authorityHost} for ${audience}`, () => {
      const [target] = targetsOf({ azure: { ...AZURE, authorityHost } }) ?? [];
      assert.deepEqual(target?.kind === 'azure' && [target.authorityHost, target.audience], [authorityHost, audience]);
    });

  it('may have audiences of their own', () => {
    const targets = targetsOf({
      azure: { ...AZURE, audience: 'one' },
      aws: { roleArn: 'arn:aws-us-gov:iam::123456789012:role/r', audience: 'two' },
      google: { provider: PROVIDER, audience: 'three' },
    });
    assert.deepEqual(
      targets?.map(({ audience }) => audience),
      ['one', 'two', 'three'],
    );
  });

  it('have a subject that stays the same', () => {
    const policy = policyWith();
    const entries = policy.roles.get('sales')?.taskIdentities ?? [];
    assert.deepEqual(
      entries.map(({ tasks, identity }) => [tasks, identity?.subject]),
      [
        [['Load*'], 'plumbline:loader'],
        [['Publish', 'retail.**'], 'plumbline:publisher'],
        [['Check*'], undefined],
      ],
    );
    assert.equal(policy.roles.get('plain')?.taskIdentities, undefined);
  });
});

describe('the decision about a task', () => {
  const REPORT = { mode: 'report' };
  const NARROW = { taskFamilies: ['Load*', 'Other'] };
  const rows: readonly (readonly [string, string, Fields, Fields, string])[] = [
    ['gives the identity of its family', 'LoadOrders', {}, {}, 'token loader'],
    ['gives that of the first entry that matches', 'Publish', {}, {}, 'token publisher'],
    ['knows namespaces', 'retail.eu.Load', {}, {}, 'token publisher'],
    ['gives a token without an identity where the entry names none', 'CheckStock', {}, {}, 'token -'],
    ['refuses a family that no entry names', 'Other', {}, {}, 'enforce family'],
    ['looks at the case', 'loadOrders', {}, {}, 'enforce family'],
    ['refuses the beginning of a family', 'sales.LoadOrders', {}, {}, 'enforce family'],
    ['refuses a family that its binding leaves out', 'Publish', NARROW, {}, 'enforce binding-family'],
    ['lets a binding narrow', 'LoadOrders', NARROW, {}, 'token loader'],
    ['never lets a binding widen', 'Other', NARROW, {}, 'enforce family'],
    [
      'gives nothing to a role that has no task identities',
      'LoadOrders',
      {},
      { role: 'plain' },
      'enforce no-task-identities',
    ],
    ['lets run without a token what a reporting binding refuses', 'Other', REPORT, {}, 'report family'],
    [
      'lets run without a token what it leaves out and reports',
      'Publish',
      { ...REPORT, ...NARROW },
      {},
      'report binding-family',
    ],
    ['gives a token to a family of a reporting binding', 'LoadOrders', REPORT, {}, 'token loader'],
    [
      'gives one in a run that only a report lets pass, and says so',
      'LoadOrders',
      REPORT,
      { task: 'X' },
      'token loader, reported',
    ],
    ['refuses tasks of a run that is refused', 'LoadOrders', {}, { task: 'X' }, 'enforce run-denied'],
    [
      'refuses tasks of a stranger in every mode',
      'LoadOrders',
      REPORT,
      { caller: caller({ claims: {} }) },
      'enforce run-denied',
    ],
    ['refuses tasks of an unknown role in every mode', 'LoadOrders', REPORT, { role: 'x' }, 'enforce run-denied'],
    ['refuses what is no name in every mode', 'Load Orders', REPORT, {}, 'enforce family-name'],
    ['refuses no name at all', '', {}, {}, 'enforce family-name'],
    ['refuses a name without an end', `Load${'x'.repeat(300)}`, {}, {}, 'enforce family-name'],
    ['refuses a name of two lines', 'LoadOrders\nX', {}, {}, 'enforce family-name'],
    [
      'refuses every task when the time of the binding is over',
      'LoadOrders',
      { ...REPORT, until: '2026-11-01', reason: 'x' },
      {},
      'enforce run-denied',
    ],
  ];
  for (const [what, family, bound, wanted, expected] of rows)
    it(what, () => {
      const policy = policyWith(bound);
      const decision = policy.decide(permission(wanted), NOW);
      const { allowed, wouldAllow, mode, reason, identity } = policy.decideTask(decision, family);
      const reported = decision.allowed && allowed && !wouldAllow ? ', reported' : '';
      assert.equal(allowed ? `token ${identity?.name ?? '-'}${reported}` : `${mode} ${reason}`, expected);
      assert.equal(reason === 'task-identity', allowed);
      assert.ok(allowed || (!wouldAllow && identity === undefined));
    });

  it('is refused in every mode while a deny rule strikes', () => {
    const policy = policyWith(REPORT, {}, { deny: [{ name: 'stop', reason: 'x' }] });
    const { allowed, mode, reason } = policy.decideTask(policy.decide(permission(), NOW), 'LoadOrders');
    assert.deepEqual([allowed, mode, reason], [false, 'enforce', 'run-denied']);
  });

  it('is that of the binding that decides about the run, not of another one', () => {
    const examples = { allow: [example()], deny: [example('8')] };
    const first = binding({ name: 'first', taskFamilies: ['Publish'], examples });
    const second = binding({ name: 'second', examples });
    const fields = { identities: IDENTITIES, roles: { sales: { ...ROLE, taskIdentities: ENTRIES } } };
    for (const [bindings, allowed] of [
      [[first, second], false],
      [[second, first], true],
    ] as const) {
      const policy = policyFrom({ ...fields, bindings });
      assert.equal(policy.decideTask(policy.decide(permission(), NOW), 'LoadOrders').allowed, allowed);
    }
  });

  it('holds for the runs of a credential of old too', () => {
    const legacy = [{ name: 'cron', sha256: 'c'.repeat(64), until: '2027-01-01', roles: ['sales'] }];
    const policy = policyWith({}, {}, { legacy });
    const cron = caller({ issuer: 'legacy', iss: 'legacy', claims: { sub: 'cron' } });
    const decision = policy.decide(permission({ caller: cron }), NOW);
    assert.equal(policy.decideTask(decision, 'LoadOrders').identity?.name, 'loader');
    assert.equal(policy.decideTask(decision, 'Other').mode, 'enforce');
  });

  it('is never made for a run that another policy decided about', () => {
    const [one, two] = [policyWith(), policyWith(NARROW)];
    assert.throws(() => two.decideTask(one.decide(permission(), NOW), 'LoadOrders'), TypeError);
  });

  it('reads role and binding from the policy, whatever the decision carries', () => {
    const policy = policyWith(NARROW);
    const decision = policy.decide(permission(), NOW);
    const loader = policy.roles.get('sales')?.taskIdentities?.[0]?.identity;
    const role = { ...(decision.role ?? assert.fail()), taskIdentities: [{ tasks: ['**'], identity: loader }] };
    assert.equal(policy.decideTask({ ...decision, role }, 'Other').reason, 'family');
    assert.equal(policy.decideTask({ ...decision, binding: 'x' }, 'LoadOrders').reason, 'run-denied');
    assert.equal(policy.decideTask({ ...decision, role: { ...role, name: 'x' } }, 'LoadOrders').reason, 'run-denied');
  });
});
