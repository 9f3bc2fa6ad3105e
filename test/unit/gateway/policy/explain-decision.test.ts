import assert from 'node:assert/strict';
import { explainDecision, formatExplanation } from '#gateway/policy/explain-decision.ts';
import { explainTask, formatTaskExplanation } from '#gateway/policy/explain-task.ts';
import { binding, caller, NOW, permission, policyFrom, ROLE } from '../../../support/sample-policy.ts';

const policy = policyFrom({
  roles: { sales: { ...ROLE, parameters: { date: { glob: '2026-*' } } } },
  bindings: [
    binding({
      match: {
        all: [
          { claim: 'project_id', equals: '7' },
          { claim: 'ref', oneOf: ['main', 'release'] },
        ],
      },
      require: { approval: true },
      until: '2026-12-01',
      reason: 'x',
      examples: { allow: [{ claims: {} }], deny: [{ claims: {} }] },
    }),
  ],
  deny: [{ name: 'mallory', reason: 'x', match: { all: [{ claim: 'user_login', equals: 'mallory' }] } }],
});
const wanted = permission({
  caller: caller({ claims: { project_id: '7', ref: 'feature\u001b[2J\n##vso[task.complete]' } }),
  parameters: { date: 'canary-2025' },
});

describe('explainDecision', () => {
  it('shows every comparison on the way', () => {
    const text = formatExplanation(explainDecision(policy, wanted, NOW));
    assert.equal(
      text,
      `refused
policy sha256:${policy.sha256}
because claim-mismatch · sales · claim ref
  caller (caller)
    yes  issuer            an issuer of this policy
    yes  role              a role of this policy
  deny mallory
    no   claim user_login  equals "mallory"
    yes  from, until       at any time, is 2026-11-20T12:00:00.000Z
  binding sales
    yes  issuer            gitlab
    yes  runFactsIssuer    none
    yes  claim project_id  equals "7"
    no   claim ref         one of "main", "release"
    yes  from, until       until 2026-12-01T00:00:00.000Z, is 2026-11-20T12:00:00.000Z
    no   require.approval  true
    yes  module            one of retail.*
    yes  task              one of DailyReport
    no   parameter date    like "2026-*"
    yes  workers           at most 1
    yes  timeoutMs         at most 86400000`,
    );
    assert.doesNotMatch(text, /canary|feature/);
  });

  it('shows values only to whoever passed them in, on one line and without what a terminal obeys', () => {
    const text = formatExplanation(explainDecision(policy, wanted, NOW, { showValues: true }));
    assert.match(text, /no {3}parameter date {4}like "2026-\*", is "canary-2025"/);
    const line = text.split('\n').find((each) => each.includes('feature')) ?? '';
    assert.doesNotMatch(line, new RegExp(`${String.fromCharCode(27)}|##vso\\[`));
    assert.match(text, /claim user_login {2}equals "mallory", is \(missing\)/);
  });

  it('has the decision that is made', () => {
    const allowed = permission({
      caller: caller({ claims: { project_id: '7', ref: 'main' } }),
      parameters: { date: '2026-11-20' },
      evidence: { approval: true },
    });
    for (const each of [wanted, allowed, permission({ role: 'x' }), permission({ caller: caller({ issuer: 'x' }) })])
      assert.deepEqual(explainDecision(policy, each, NOW).decision, policy.decide(each, NOW));
    assert.match(formatExplanation(explainDecision(policy, allowed, NOW)), /^allowed by sales \(enforce\)\n/);
  });
});

describe('explainTask', () => {
  const tasks = (fields: Readonly<Record<string, unknown>> = {}) =>
    policyFrom({
      identities: { loader: { files: [{ audience: 'a', variable: 'A_FILE' }] } },
      roles: {
        sales: { ...ROLE, taskIdentities: [{ tasks: ['Check', 'Try*'] }, { tasks: ['Load*'], identity: 'loader' }] },
      },
      bindings: [binding({ taskFamilies: ['**'], ...fields })],
    });
  const told = (family: string, fields = {}, request = {}) => {
    const rules = tasks(fields);
    return formatTaskExplanation(explainTask(rules, rules.decide(permission(request), NOW), family));
  };

  it('shows what was asked in turn', () =>
    assert.equal(
      told('LoadOrders'),
      `task LoadOrders: a token as loader
    yes  taskFamilies       like **
    no   taskIdentities[0]  like Check, Try*
    yes  taskIdentities[1]  like Load*`,
    ));

  const verdicts: readonly (readonly [string, string])[] = [
    [told('Check'), 'task Check: a token without an identity'],
    [told('Other'), 'task Other: no token (family)'],
    [told('Other', { mode: 'report' }), 'task Other: no token (family), and it runs without: the binding only reports'],
    [
      told('LoadX', { mode: 'report' }, { task: 'X' }),
      'task LoadX: a token as loader, because the binding only reports',
    ],
    [told('LoadX', {}, { task: 'X' }), 'task LoadX: no token (run-denied)'],
  ];
  for (const [text, expected] of verdicts) it(`says '${expected}'`, () => assert.equal(text.split('\n')[0], expected));

  it('obeys no name', () => {
    const [first = ''] = told('Load\u001b[2J\n##vso[task.complete]').split('\n');
    assert.match(first, /^task Load.*no token \(family-name\)$/);
    assert.doesNotMatch(first, /\p{Cc}|##vso\[/u);
  });
});
