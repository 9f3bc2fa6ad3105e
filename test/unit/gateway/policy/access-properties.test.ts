import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { JsonValue } from '#core/json.ts';
import type { LoadedPolicy } from '#gateway/policy/loaded-policy.ts';
import { isInNamespaces, type LuigidPermission } from '#gateway/policy/luigid-access.ts';
import type { RunPermission } from '#gateway/policy/policy.ts';
import { ADDRESSES, accessPolicies, FAMILIES, personClaims } from '../../../support/arbitrary-access.ts';
import { anonymousOracle, oracle, taskOracle, viewerOracle } from '../../../support/policy-oracle.ts';
import { caller, loaded, NOW, permission } from '../../../support/sample-policy.ts';

type Fields = Readonly<Record<string, unknown>>;

const TASKS = FAMILIES.filter((family) => family !== '' && !family.startsWith('.') && !family.includes('..'));
const compiled = (policy: Fields) => loaded(JSON.stringify(policy));

/** What the product says of a task, in the words of the oracle. */
function saidOf(policy: LoadedPolicy, wanted: RunPermission, family: string): string {
  const { allowed, wouldAllow, mode, identity } = policy.decideTask(policy.decide(wanted, NOW), family);
  if (allowed) return `token of ${identity?.name ?? 'nobody'}${wouldAllow ? '' : ', reported'}`;
  return mode === 'report' ? 'refused: it runs without' : 'refused: its run ends';
}

function accessTo(task: string, given: LuigidPermission | undefined): string[] {
  if (given === undefined) return [];
  const { read, operate, admin } = given;
  return [
    ...(isInNamespaces(task, read) ? ['read'] : []),
    ...(isInNamespaces(task, operate) ? ['operate'] : []),
    ...(admin ? ['admin'] : []),
  ];
}

describe('tasks, people and calls that bring nothing, over arbitrary policies', () => {
  // In each, a comparison of refusals alone would prove little.
  it('get what an independent reading of the same policy says: tasks', () => {
    const counts = new Counts();
    const compare = (rules: LoadedPolicy, policy: Fields, one: RunPermission) => {
      const { allowed, wouldAllow } = rules.decide(one, NOW);
      assert.deepEqual({ allowed, wouldAllow }, oracle(policy, one, NOW));
      for (const family of FAMILIES)
        assert.equal(counts.add(saidOf(rules, one, family)), taskOracle(policy, one, family, NOW), family);
    };
    fc.assert(
      fc.property(accessPolicies, ({ policy, wanted }) => {
        const rules = compiled(policy);
        for (const one of wanted) compare(rules, policy, one);
      }),
      { numRuns: 300 },
    );
    const tokens = ['token of i', 'token of j', 'token of nobody', 'token of i, reported'];
    counts.check(...tokens, 'refused: it runs without', 'refused: its run ends');
  });

  it('get what an independent reading of the same policy says: people', () => {
    const counts = new Counts();
    const compare = (rules: LoadedPolicy, policy: Fields, claims: Record<string, JsonValue>) => {
      const given = rules.viewer(claims, NOW);
      for (const task of TASKS)
        assert.equal(counts.add(accessTo(task, given).join()), viewerOracle(policy, claims, task, NOW).join(), task);
    };
    fc.assert(
      fc.property(accessPolicies, fc.array(personClaims, { minLength: 6, maxLength: 6 }), ({ policy }, people) => {
        const rules = compiled(policy);
        for (const claims of people) compare(rules, policy, claims);
      }),
      { numRuns: 400 },
    );
    counts.check('', 'read', 'read,operate', 'read,operate,admin');
  });

  it('get what an independent reading of the same policy says: calls that bring nothing', () => {
    const counts = new Counts();
    const compare = (rules: LoadedPolicy, policy: Fields, address: string) => {
      for (const task of TASKS) {
        const isOpen = accessTo(task, rules.anonymous(address, NOW)?.permission).includes('operate');
        const known = CANONICAL[address];
        const expected = known !== undefined && anonymousOracle(policy, known, task, NOW);
        assert.equal(isOpen, expected, `${address} ${task}`);
        counts.add(String(isOpen));
      }
    };
    fc.assert(
      fc.property(accessPolicies, ({ policy }) => {
        const rules = compiled(policy);
        for (const address of ADDRESSES) compare(rules, policy, address);
      }),
      { numRuns: 300 },
    );
    counts.check('true', 'false');
  });

  it('get no token more, and none of another identity, when a binding names families', () => {
    fc.assert(
      fc.property(accessPolicies, fc.nat(6), fc.constantFrom('T', 'n.*', '**'), ({ policy, wanted }, at, family) => {
        const bindings = policy['bindings'] as Fields[];
        const narrow = (one: Fields) => ({ ...one, taskFamilies: [family] });
        const index = at % bindings.length;
        if (!canNarrow(policy, bindings[index]) || bindings[index]?.['taskFamilies'] !== undefined) return;
        const [rules, narrower] = [
          compiled(policy),
          compiled({ ...policy, bindings: bindings.with(index, narrow(bindings[index] ?? {})) }),
        ];
        for (const one of wanted) assertNoMore(rules, narrower, one);
      }),
      { numRuns: 300 },
    );
  });

  it('change nothing for runs: the same policy without them decides the same', () => {
    fc.assert(
      fc.property(accessPolicies, ({ policy, wanted }) => {
        const bindings = (policy['bindings'] as Fields[]).filter(({ issuer }) => issuer !== 'anonymous');
        const plain = compiled({
          ...policy,
          identities: {},
          viewers: [],
          roles: Object.fromEntries(
            Object.entries(policy['roles'] as Record<string, Fields>).map(
              ([name, { taskIdentities, namespaces, sharedNamespaces, ...role }]) => [name, role],
            ),
          ),
          bindings: bindings.map(({ taskFamilies, ...binding }) => binding),
          deny: (policy['deny'] as Fields[]).filter(({ issuer }) => issuer !== 'anonymous'),
        });
        const whole = compiled(policy);
        for (const one of wanted) {
          const decision = whole.decide(one, NOW);
          const { role, policy: sha, ...rest } = decision;
          const { role: other, policy: otherSha, ...same } = plain.decide(one, NOW);
          assert.deepEqual(rest, same);
          assert.equal(plain.viewer({ groups: ['x'] }, NOW), undefined);
          assert.equal(plain.anonymous('10.1.2.3', NOW), undefined);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('never start a run by an address, whatever else the caller has', () => {
    fc.assert(
      fc.property(accessPolicies, personClaims, ({ policy, wanted }, claims) => {
        const rules = compiled(policy);
        for (const one of wanted) {
          const nobody = {
            ...one.caller,
            issuer: 'anonymous',
            claims: { ...one.caller.claims, ...claims, address: '10.1.2.3' },
          };
          const decision = rules.decide({ ...one, caller: nobody }, NOW);
          assert.equal(decision.allowed, false);
          assert.equal(rules.decideTask(decision, 'T').reason, 'run-denied');
        }
      }),
      { numRuns: 100 },
    );
  });

  it('never give a person more in a namespace than one viewer by itself', () => {
    fc.assert(
      fc.property(accessPolicies, personClaims, ({ policy }, claims) => {
        const together = compiled(policy).viewer(claims, NOW);
        const single = (policy['viewers'] as Fields[]).map((one) =>
          compiled({ ...policy, viewers: [one] }).viewer(claims, NOW),
        );
        for (const task of TASKS) {
          const best = single.map((given) => accessTo(task, given)).toSorted((a, b) => b.length - a.length)[0] ?? [];
          assert.deepEqual(accessTo(task, together), best);
        }
      }),
      { numRuns: 150 },
    );
  });

  it('are never a matter of what a hostile claim is called', () => {
    const rules = compiled({
      ...policyOf('groups', { exists: true }),
    });
    for (const claims of [{}, JSON.parse('{"__proto__": {"groups": "x"}}')])
      assert.equal(rules.viewer(claims, NOW), undefined);
    const inherited = compiled({ ...policyOf('toString', { exists: true }) });
    assert.equal(inherited.viewer({}, NOW), undefined);
    assert.equal(inherited.decide(permission({ caller: caller({ claims: {} }) }), NOW).allowed, false);
  });
});

/** How often something was said. */
class Counts {
  readonly #counts = new Map<string, number>();

  add(what: string): string {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
    return what;
  }

  check(...all: readonly string[]): void {
    for (const what of all) assert.ok((this.#counts.get(what) ?? 0) > 20, `${what}: ${this.#counts.get(what)}`);
  }
}

function canNarrow(policy: Fields, binding: Fields | undefined): boolean {
  const roles = policy['roles'] as Record<string, Fields>;
  const names = (binding?.['roles'] ?? []) as string[];
  return binding?.['issuer'] !== 'anonymous' && names.some((name) => roles[name]?.['taskIdentities'] !== undefined);
}

function assertNoMore(before: LoadedPolicy, after: LoadedPolicy, one: RunPermission): void {
  for (const family of FAMILIES) {
    const said = saidOf(after, one, family);
    assert.ok(said.startsWith('refused') || said === saidOf(before, one, family), family);
  }
}

/** As RFC 5952 writes them; what is no address has none. */
const CANONICAL: Readonly<Record<string, string>> = {
  '10.1.2.3': '10.1.2.3',
  '::ffff:10.1.2.3': '10.1.2.3',
  '10.2.0.1': '10.2.0.1',
  '2001:db8::1': '2001:db8::1',
  '2001:DB8:0::1': '2001:db8::1',
  '127.0.0.1': '127.0.0.1',
};

function policyOf(claim: string, condition: Fields): Fields {
  const [sample] = fc.sample(accessPolicies, { numRuns: 1, seed: 1 });
  const examples = { allow: [{ claims: {} }], deny: [{ claims: {} }] };
  const viewer = { name: 'v', match: { all: [{ claim, ...condition }] }, roles: 'all', access: 'admin', examples };
  return { ...sample?.policy, viewers: [viewer] };
}
