import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { JsonValue } from '#core/json.ts';
import type { RunPermission } from '#gateway/policy/policy.ts';
import { denyBody, policyAndRequests } from '../../../support/arbitrary-policy.ts';
import { oracle } from '../../../support/policy-oracle.ts';
import { loaded, NOW } from '../../../support/sample-policy.ts';

type Fields = Readonly<Record<string, unknown>>;

const compiled = (policy: Fields) => loaded(JSON.stringify(policy));

describe('decisions over arbitrary policies and callers', () => {
  it('are what an independent reading of the same policy says', () => {
    const counts = { allowed: 0, reported: 0, refused: 0 };
    fc.assert(
      fc.property(policyAndRequests, ({ policy, wanted }) => {
        const rules = compiled(policy);
        for (const one of wanted) {
          const { allowed, wouldAllow } = rules.decide(one, NOW);
          assert.deepEqual({ allowed, wouldAllow }, oracle(policy, one, NOW));
          counts[wouldAllow ? 'allowed' : allowed ? 'reported' : 'refused'] += 1;
        }
      }),
      { numRuns: 400 },
    );
    // A comparison of refusals alone would prove little.
    assert.ok(counts.allowed > 50 && counts.reported > 50 && counts.refused > 50, JSON.stringify(counts));
  });

  it('never allow more when a deny rule is added', () => {
    fc.assert(
      fc.property(policyAndRequests, denyBody, ({ policy, wanted }, body) => {
        const rules = compiled(policy);
        const stricter = compiled({ ...policy, deny: [...(policy['deny'] as Fields[]), { ...body, name: 'added' }] });
        for (const one of wanted) {
          const [before, after] = [rules.decide(one, NOW), stricter.decide(one, NOW)];
          assert.ok(before.allowed || !after.allowed);
          assert.ok(before.wouldAllow || !after.wouldAllow);
        }
      }),
      { numRuns: 150 },
    );
  });

  it('never allow more when a binding is taken away', () => {
    fc.assert(
      fc.property(policyAndRequests, fc.nat(3), ({ policy, wanted }, at) => {
        const bindings = policy['bindings'] as Fields[];
        const rules = compiled(policy);
        const fewer = compiled({ ...policy, bindings: bindings.toSpliced(at % bindings.length, 1) });
        for (const one of wanted) assert.ok(rules.decide(one, NOW).allowed || !fewer.decide(one, NOW).allowed);
      }),
      { numRuns: 150 },
    );
  });

  it('never allow more when a claim, a fact or a piece of evidence is taken away, if no deny rule reads it', () => {
    fc.assert(
      fc.property(policyAndRequests, fc.constantFrom('a', 'b', 'c'), ({ policy, wanted }, claim) => {
        const rules = compiled({ ...policy, deny: [] });
        for (const one of wanted) {
          const before = rules.decide(one, NOW);
          for (const less of withLess(one, claim)) {
            const after = rules.decide(less, NOW);
            assert.ok(before.allowed || !after.allowed);
            assert.ok(before.wouldAllow || !after.wouldAllow);
          }
        }
      }),
      { numRuns: 150 },
    );
  });

  it('depend on nothing but policy, request and time', () => {
    fc.assert(
      fc.property(policyAndRequests, ({ policy, wanted }) => {
        const [one, two] = [compiled(policy), compiled(policy)];
        for (const request of wanted) {
          const first = one.decide(request, NOW);
          assert.deepEqual(first, two.decide(request, NOW));
          assert.deepEqual(first, one.decide(structuredClone(request), NOW));
        }
      }),
      { numRuns: 50 },
    );
  });
});

function withLess(wanted: RunPermission, claim: string): RunPermission[] {
  const { caller } = wanted;
  const { runFacts } = caller;
  return [
    { ...wanted, caller: { ...caller, claims: without(caller.claims, claim) } },
    { ...wanted, caller: { ...caller, signed: {} } },
    { ...wanted, evidence: undefined },
    ...(runFacts === undefined
      ? []
      : [{ ...wanted, caller: { ...caller, runFacts: { ...runFacts, claims: without(runFacts.claims, claim) } } }]),
  ];
}

function without(claims: Readonly<Record<string, JsonValue>>, name: string): Record<string, JsonValue> {
  return Object.fromEntries(Object.entries(claims).filter(([key]) => key !== name));
}
