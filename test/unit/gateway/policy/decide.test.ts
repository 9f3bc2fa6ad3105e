import assert from 'node:assert/strict';
import type { Caller } from '#gateway/auth/caller.ts';
import type { Decision, RunPermission } from '#gateway/policy/policy.ts';
import { binding, caller, NOW, permission, policyFrom, ROLE, token } from '../../../support/sample-policy.ts';

type Fields = Readonly<Record<string, unknown>>;

const decide = (policy: Fields, wanted: Partial<RunPermission> = {}, now = NOW): Decision =>
  policyFrom(policy).decide(permission(wanted), now);
const reasons = (decision: Decision) =>
  decision.reasons.map(({ reason, rule, field }) => [reason, rule, field].filter(Boolean).join(' '));
const withRole = (role: Fields, fields: Fields = {}) => ({ roles: { sales: { ...ROLE, ...role } }, ...fields });
const withBinding = (fields: Fields) => ({ bindings: [binding(fields)] });

describe('Policy.decide', () => {
  it('allows what a binding and its role say, and names binding, role and policy', () => {
    const policy = policyFrom();
    const decision = policy.decide(permission(), NOW);
    assert.deepEqual(
      { ...decision, role: decision.role?.name },
      {
        allowed: true,
        wouldAllow: true,
        mode: 'enforce',
        binding: 'sales',
        role: 'sales',
        reasons: [{ reason: 'binding', rule: 'sales' }],
        policy: policy.sha256,
        until: undefined,
      },
    );
    assert.match(decision.policy, /^[0-9a-f]{64}$/);
  });

  describe('refuses', () => {
    const stranger = { ...token('gitlab', { project_id: '8' }), scope: '' };
    const rows: readonly (readonly [string, Fields, Partial<RunPermission>, readonly string[]])[] = [
      ['a role that is not there', {}, { role: 'admin' }, ['unknown-role role']],
      ['a role with the name of an inherited field', {}, { role: 'constructor' }, ['unknown-role role']],
      ['a role that no binding gives', { roles: { sales: ROLE, other: ROLE } }, { role: 'other' }, ['no-binding role']],
      ['another value of a claim', {}, { caller: stranger }, ['claim-mismatch sales claim project_id']],
      ['a token without the claim', {}, { caller: caller({ claims: {} }) }, ['claim-mismatch sales claim project_id']],
      [
        'a claim that every object inherits',
        withBinding({ match: { all: [{ claim: 'toString', exists: true }] } }),
        {},
        ['claim-mismatch sales claim toString'],
      ],
      [
        'an issuer that the policy does not have',
        {},
        { caller: caller({ issuer: 'other' }) },
        ['unknown-issuer issuer'],
      ],
      [
        'an issuer of another name for the same `iss`',
        {},
        { caller: caller({ issuer: 'entra' }) },
        ['unknown-issuer issuer'],
      ],
      [
        'a token that was verified for another `iss`',
        {},
        { caller: caller({ iss: 'https://gitlab.com' }) },
        ['unknown-issuer issuer'],
      ],
      [
        'a token that was verified for another audience',
        {},
        { caller: caller({ audience: 'other' }) },
        ['unknown-issuer issuer'],
      ],
      [
        'a caller whose issuer only signs facts',
        {},
        { caller: { ...token('pipelines', { project_id: '7' }), scope: '' } },
        ['unknown-issuer issuer'],
      ],
      ["a run's own token", {}, { caller: caller({ use: 'run', runId: 'x' }) }, ['run-token token']],
      ['another module', {}, { module: 'finance.daily' }, ['module sales module']],
      ['a module below the one that is allowed', {}, { module: 'retail.daily.late' }, ['module sales module']],
      ['another task', {}, { task: 'DailyReport2' }, ['task sales task']],
      ['a task that is an option', withRole({ tasks: ['**'] }), { task: '--help' }, ['task sales task']],
      [
        'a module with a line break',
        withRole({ modules: ['**'] }),
        { module: 'retail.daily\n' },
        ['module sales module'],
      ],
      ['a parameter that is not named', {}, { parameters: { date: 'x' } }, ['parameter-unknown sales parameter date']],
      [
        'a parameter of no valid name',
        {},
        { parameters: { '##vso[x]': 'x' } },
        ['parameter-unknown sales parameter of no valid name'],
      ],
      [
        'a parameter that is missing',
        withRole({ parameters: { date: { glob: '*' } } }),
        {},
        ['parameter sales parameter date'],
      ],
      [
        'another value of a parameter',
        withRole({ parameters: { env: { equals: 'prod' } } }),
        { parameters: { env: 'test' } },
        ['parameter sales parameter env'],
      ],
      [
        'another value of an optional parameter',
        withRole({ parameters: { env: { equals: 'prod', optional: true } } }),
        { parameters: { env: 'test' } },
        ['parameter sales parameter env'],
      ],
      [
        'an inherited parameter',
        withRole({ parameters: { toString: { exists: true } } }),
        {},
        ['parameter sales parameter toString'],
      ],
      ['more workers', withRole({ maxWorkers: 2 }), { workers: 3 }, ['workers sales workers']],
      ['half a worker', withRole({ maxWorkers: 2 }), { workers: 1.5 }, ['workers sales workers']],
      ['no worker', withRole({ maxWorkers: 2 }), { workers: 0 }, ['workers sales workers']],
      ['a longer time-out', withRole({ maxRuntime: '1h' }), { timeoutMs: 3_600_001 }, ['timeout sales timeoutMs']],
      ['a time-out that is no number', {}, { timeoutMs: Number.NaN }, ['timeout sales timeoutMs']],
      [
        'a ref that nobody signs as protected',
        withBinding({ require: { refProtected: true } }),
        {},
        ['require-ref-protected sales require.refProtected'],
      ],
      [
        'an unprotected ref',
        withBinding({ require: { refProtected: true } }),
        { caller: caller({ signed: { refProtected: false } }) },
        ['require-ref-protected sales require.refProtected'],
      ],
      [
        'no evidence of an approval',
        withBinding({ require: { approval: true } }),
        {},
        ['require-approval sales require.approval'],
      ],
      [
        'evidence that there was none',
        withBinding({ require: { approval: true } }),
        { evidence: { approval: false } },
        ['require-approval sales require.approval'],
      ],
      [
        'evidence of something else',
        withBinding({ require: { notRequester: true } }),
        { evidence: { approval: true } },
        ['require-not-requester sales require.notRequester'],
      ],
    ];
    for (const [what, policy, wanted, expected] of rows)
      it(what, () => {
        const decision = decide(policy, wanted);
        assert.deepEqual(reasons(decision), expected);
        assert.deepEqual([decision.allowed, decision.wouldAllow, decision.role], [false, false, undefined]);
      });

    it('everything that is wrong with the run at once, by name and never by value', () => {
      const policy = withRole({ parameters: { env: { equals: 'prod' } } });
      const decision = decide(policy, {
        module: 'a',
        task: 'b',
        workers: 9,
        parameters: { env: 'canary-1', other: 'canary-2' },
      });
      assert.deepEqual(reasons(decision), [
        'module sales module',
        'task sales task',
        'parameter sales parameter env',
        'parameter-unknown sales parameter other',
        'workers sales workers',
      ]);
      assert.doesNotMatch(JSON.stringify(decision), /canary/);
    });

    it('names the bindings that know the caller before those that do not, and not more than a person reads', () => {
      const strangers = Array.from({ length: 30 }, (_, i) =>
        binding({
          name: `s${i}`,
          match: { all: [{ claim: 'project_id', equals: 'x' }] },
          examples: { allow: [{ claims: { project_id: 'x' } }], deny: [{ claims: {} }] },
        }),
      );
      const decision = decide({ bindings: [...strangers, binding()] }, { task: 'Other' });
      assert.equal(reasons(decision)[0], 'task sales task');
      assert.equal(decision.reasons.length, 16);
    });
  });

  describe('allows', () => {
    const rows: readonly (readonly [string, Fields, Partial<RunPermission>])[] = [
      ['what it says nothing about', withRole({}), { workers: 1, timeoutMs: 86_400_000 }],
      [
        'other parameters when the role says so',
        withRole({ otherParameters: true }),
        { parameters: { a: [1], b: null } },
      ],
      [
        'an optional parameter that is left out',
        withRole({ parameters: { day: { equals: 'x', optional: true } } }),
        {},
      ],
      [
        'a protected ref',
        withBinding({ require: { refProtected: true } }),
        { caller: caller({ signed: { refProtected: true } }) },
      ],
      [
        'an approval',
        withBinding({ require: { approval: true, notRequester: true } }),
        { evidence: { approval: true, notRequester: true } },
      ],
      [
        'by the second binding what the first does not',
        { bindings: [binding({ name: 'first', match: { all: [{ claim: 'ref', equals: 'x' }] } }), binding()] },
        {},
      ],
    ];
    for (const [what, policy, wanted] of rows)
      it(what, () => {
        const decision = decide(policy, wanted);
        assert.deepEqual([decision.allowed, decision.binding], [true, 'sales'], reasons(decision).join());
      });
  });

  describe('with run facts', () => {
    const oid = '3d7b2f90-1e4c-4a8b-9c6d-5f0e8a1b7c42';
    const policy = withBinding({
      issuer: 'entra',
      runFactsIssuer: 'pipelines',
      match: {
        all: [
          { claim: 'oid', equals: oid },
          { claim: 'def_id', equals: '7', runFacts: true },
        ],
      },
      require: { refProtected: true },
    });
    const facts = { ...token('pipelines', { def_id: '7' }), signed: { refProtected: true } };
    const azure = (fields: Partial<Caller> = {}) => ({
      caller: { ...token('entra', { oid }), scope: '', runFacts: facts, ...fields },
    });

    it('allows when both tokens hold', () => assert.equal(decide(policy, azure()).allowed, true));

    const rows: readonly (readonly [string, Partial<Caller>, string])[] = [
      ['are missing', { runFacts: undefined }, 'run-facts-issuer sales runFactsIssuer'],
      [
        'are of another pipeline',
        { runFacts: { ...facts, claims: { def_id: '8' } } },
        'claim-mismatch sales run fact def_id',
      ],
      [
        'are claimed in the token that is authorised',
        { claims: { oid, def_id: '7' }, runFacts: { ...facts, claims: {} } },
        'claim-mismatch sales run fact def_id',
      ],
      [
        'are of an issuer that the binding does not name',
        { runFacts: token('gitlab', { def_id: '7' }) },
        'run-facts-issuer sales runFactsIssuer',
      ],
      [
        'are of an organization that the policy does not have',
        { runFacts: { ...facts, iss: 'https://vstoken.dev.azure.com/x' } },
        'unknown-issuer run facts',
      ],
      [
        'carry what the caller should',
        { claims: {}, runFacts: { ...facts, claims: { oid, def_id: '7' } } },
        'claim-mismatch sales claim oid',
      ],
    ];
    for (const [what, fields, expected] of rows)
      it(`refuses when they ${what}`, () => {
        const decision = decide(policy, azure(fields));
        assert.deepEqual([decision.allowed, reasons(decision)[0]], [false, expected]);
      });

    it('lets no facts of a binding that names no issuer for them decide anything', () => {
      const open = withBinding({ require: { refProtected: true } });
      const decision = decide(open, { caller: caller({ runFacts: facts }) });
      assert.deepEqual([decision.allowed, reasons(decision)[0]], [false, 'run-facts-issuer sales runFactsIssuer']);
    });
  });

  describe('with a deny rule', () => {
    const rule = (fields: Fields) => ({ deny: [{ name: 'stop', reason: 'incident', ...fields }] });
    const rows: readonly (readonly [string, Fields, boolean])[] = [
      ['of everything', {}, true],
      ['of the issuer', { issuer: 'gitlab' }, true],
      ['of another issuer', { issuer: 'entra' }, false],
      ['of the role', { roles: ['sales'] }, true],
      ['of another role', { roles: ['other'] }, false],
      ['of the claim', { match: { all: [{ claim: 'project_id', glob: '*' }] } }, true],
      ['of another claim', { match: { all: [{ claim: 'user', equals: 'x' }] } }, false],
      ['of a claim that must be there', { match: { all: [{ claim: 'environment', exists: false }] } }, true],
      [
        'of all of several claims',
        {
          match: {
            all: [
              { claim: 'project_id', equals: '7' },
              { claim: 'x', exists: true },
            ],
          },
        },
        false,
      ],
      [
        'of run facts that are not there',
        { match: { all: [{ claim: 'project_id', equals: '7', runFacts: true }] } },
        false,
      ],
      ['that is over', { until: '2026-11-20' }, false],
      ['that has not begun', { from: '2026-11-20T12:00:01Z' }, false],
      ['that has just ended', { from: '2026-11-20T11:00:00Z', until: '2026-11-20T13:00:00+01:00' }, false],
      ['that holds from now on', { from: '2026-11-20T12:00:00Z' }, true],
    ];
    for (const [what, fields, strikes] of rows)
      it(`${strikes ? 'refuses' : 'allows'}: ${what}`, () => {
        const roles = { sales: ROLE, other: ROLE };
        const decision = decide({ ...rule(fields), roles });
        assert.equal(decision.allowed, !strikes);
        if (strikes) assert.deepEqual(reasons(decision), ['deny-rule stop']);
      });

    it('refuses in report mode too', () => {
      const decision = decide({ ...rule({}), mode: 'report' });
      assert.deepEqual([decision.allowed, decision.wouldAllow, decision.mode], [false, false, 'report']);
    });
  });

  describe('with a period', () => {
    const policy = withBinding({ from: '2026-11-20', until: '2026-11-21T08:00:00+02:00', reason: 'quarter end' });
    const [from, until] = [Date.parse('2026-11-20T00:00:00Z'), Date.parse('2026-11-21T06:00:00Z')];
    for (const [now, expected] of [
      [from - 1, false],
      [from, true],
      [until - 1, true],
      [until, false],
      [Number.NaN, false],
    ] as const)
      it(`${expected ? 'allows' : 'refuses'} at ${now}`, () => {
        const decision = decide(policy, {}, now);
        assert.equal(decision.allowed, expected);
        if (expected) assert.equal(decision.until, until);
        else assert.deepEqual(reasons(decision), ['outside-period sales from, until']);
      });
  });

  it('refuses when there is no time', () => {
    assert.equal(decide({}, {}, Number.NaN).allowed, false);
  });

  it('takes no evidence that is inherited', () => {
    const evidence = Object.create({ approval: true }) as Record<string, boolean>;
    assert.equal(decide(withBinding({ require: { approval: true } }), { evidence }).allowed, false);
  });

  describe('with a bundle', () => {
    const code = {
      kind: 'bundle',
      python: '/usr/bin/python3',
      maxBytes: 1_000,
      repository: { equals: '7' },
      ref: { glob: 'refs/heads/release/*' },
    };
    const policy = withRole({ code });
    const signed = { repository: '7', ref: 'refs/heads/release/1' };
    const ask = (facts: Caller['signed'], fields: Fields = {}) =>
      decide({ ...policy, ...fields }, { caller: caller({ signed: facts }) });

    it('allows what a token signs', () => assert.equal(ask(signed).allowed, true));
    it('refuses another repository', () =>
      assert.deepEqual(reasons(ask({ ...signed, repository: '8' })), ['code-repository sales fact repository']));
    it('refuses another branch', () =>
      assert.deepEqual(reasons(ask({ ...signed, ref: 'refs/heads/x' })), ['code-ref sales fact ref']));
    it('refuses what no token signs', () => assert.equal(ask({}).allowed, false));
    it('refuses it in report mode too', () =>
      assert.equal(ask({ ...signed, repository: '8' }, { mode: 'report' }).allowed, false));
  });

  describe('with a secret for a parameter', () => {
    const secrets = [{ vault: 'kv-sales', secret: 'password', target: 'parameter', name: 'password' }];
    it('refuses a caller who gives it, in every mode and with other parameters allowed', () => {
      for (const mode of ['report', 'enforce']) {
        const decision = decide(withRole({ secrets, otherParameters: true }, { mode }), {
          parameters: { password: 'mine' },
        });
        assert.deepEqual(
          [decision.allowed, ...reasons(decision)],
          [false, 'parameter-secret sales parameter password'],
        );
      }
    });
  });

  describe('in report mode', () => {
    const report = (fields: Fields = {}) => withBinding({ mode: 'report', ...fields });

    it('allows what enforcement allows as such', () => {
      const decision = decide(report());
      assert.deepEqual([decision.allowed, decision.wouldAllow, decision.mode], [true, true, 'report']);
    });

    it('lets pass what the role and `require` refuse, and says what enforcement would', () => {
      const decision = decide(report({ require: { approval: true } }), { task: 'Other', workers: 2 });
      assert.deepEqual(
        [decision.allowed, decision.wouldAllow, decision.binding, decision.role?.name],
        [true, false, 'sales', 'sales'],
      );
      assert.deepEqual(reasons(decision), [
        'require-approval sales require.approval',
        'task sales task',
        'workers sales workers',
      ]);
    });

    const refused: readonly (readonly [string, Fields, Partial<RunPermission>, number])[] = [
      ['whose caller it does not know', report(), { caller: caller({ claims: { project_id: '8' } }) }, NOW],
      ['whose time is over', report({ until: '2026-11-20', reason: 'x' }), {}, NOW],
      [
        'for a role that it does not give',
        { ...report(), roles: { sales: ROLE, other: ROLE } },
        { role: 'other' },
        NOW,
      ],
      ['for a role that does not exist', report(), { role: 'other' }, NOW],
      ['for what is no task at all', report(), { task: 'x; rm -rf' }, NOW],
      ['with a number of workers that is none', report(), { workers: -1 }, NOW],
    ];
    for (const [what, policy, wanted, now] of refused)
      it(`refuses ${what}`, () => assert.equal(decide(policy, wanted, now).allowed, false));

    it('does not let pass what an enforcing binding refuses', () => {
      const other = binding({ name: 'reporting', mode: 'report', match: { all: [{ claim: 'ref', equals: 'x' }] } });
      assert.equal(decide({ bindings: [binding(), other] }, { task: 'Other' }).allowed, false);
    });

    it('prefers a binding that allows to one that only reports', () => {
      const strict = binding({ name: 'strict', mode: 'report', require: { approval: true } });
      const decision = decide({ bindings: [strict, binding()] });
      assert.deepEqual([decision.binding, decision.wouldAllow, decision.mode], ['sales', true, 'enforce']);
    });

    it('is what the file says where a binding says nothing, and what the binding says where it does', () => {
      assert.equal(decide({ mode: 'report' }, { task: 'Other' }).allowed, true);
      assert.equal(decide({ mode: 'report', ...withBinding({ mode: 'enforce' }) }, { task: 'Other' }).allowed, false);
    });
  });

  describe('with a credential of old', () => {
    const legacy = [{ name: 'cron', sha256: 'c'.repeat(64), until: '2026-12-01', roles: ['sales'] }];
    const old = (name = 'cron') => ({
      caller: caller({ issuer: 'legacy', iss: 'legacy', audience: '', subject: name, claims: { sub: name } }),
    });

    it('allows its roles until its end', () => {
      const [before, after] = [Date.parse('2026-11-30T23:59:59.999Z'), Date.parse('2026-12-01T00:00:00Z')];
      assert.deepEqual(
        [decide({ legacy }, old(), before).binding, decide({ legacy }, old(), after).allowed],
        ['cron', false],
      );
      assert.equal(decide({ legacy }, old(), before).until, after);
    });
    it('refuses another name', () => assert.equal(decide({ legacy }, old('other')).allowed, false));
    it('refuses when the policy has none', () => assert.equal(decide({}, old()).allowed, false));
    it('enforces even where the file reports', () =>
      assert.equal(decide({ legacy, mode: 'report' }, { ...old(), task: 'Other' }).allowed, false));
    it('gives way to a deny rule like any other', () => {
      const deny = [{ name: 'stop', reason: 'x', issuer: 'legacy' }];
      assert.equal(decide({ legacy, deny }, old()).allowed, false);
    });
    it('gives no callers of an issuer what it gives', () => {
      assert.equal(decide({ legacy, bindings: [] }, { caller: caller({ claims: { sub: 'cron' } }) }).allowed, false);
    });
  });
});
