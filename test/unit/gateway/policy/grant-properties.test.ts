import assert from 'node:assert/strict';
import fc from 'fast-check';
import { denyGrant, grantsAndRequests } from '../../../support/arbitrary-grants.ts';
import { airflowOracle, pipelineOracle } from '../../../support/policy-oracle.ts';
import { loaded, NOW } from '../../../support/sample-policy.ts';

type Fields = Readonly<Record<string, unknown>>;
type Rules = ReturnType<typeof loaded>;
type Wanted = Parameters<Rules['decidePipeline']>[0];

const compiled = (policy: Fields) => loaded(JSON.stringify(policy));

/** A decision in the words of the oracle. */
function pipelineWords(rules: Rules, wanted: Wanted): string {
  const { allowed, wouldAllow, grant } = rules.decidePipeline(wanted, NOW);
  return allowed ? `${grant?.name}${wouldAllow ? '' : ', reported'}` : 'refused';
}

/** The same of a token; it never differs from what enforcement says. */
function airflowWords(rules: Rules, wanted: Parameters<Rules['decideAirflow']>[0]): string | undefined {
  const { allowed, wouldAllow, grant } = rules.decideAirflow(wanted, NOW);
  assert.deepEqual([allowed, wouldAllow], [grant !== undefined, grant !== undefined]);
  return grant?.name;
}

/** How often each outcome was seen: a comparison of refusals alone would prove little. */
function assertMany(words: readonly string[], outcomes: readonly RegExp[]): void {
  const counts = outcomes.map((outcome) => words.filter((word) => outcome.test(word)).length);
  assert.ok(
    counts.every((count) => count > 30),
    `${outcomes}: ${counts}`,
  );
}

describe('decisions about grants over arbitrary policies and callers', () => {
  it('are what an independent reading of the same policy says', () => {
    const seen: { airflow: string[]; pipelines: string[] } = { airflow: [], pipelines: [] };
    fc.assert(
      fc.property(grantsAndRequests, ({ policy, airflow, pipelines }) => {
        const rules = compiled(policy);
        const users = airflow.map((one) => airflowWords(rules, one));
        assert.deepEqual(
          users,
          airflow.map((one) => airflowOracle(policy, one, NOW)),
        );
        const words = pipelines.map((one) => pipelineWords(rules, one));
        assert.deepEqual(
          words,
          pipelines.map((one) => pipelineOracle(policy, one, NOW)),
        );
        seen.airflow.push(...users.map((user) => user ?? 'none'));
        seen.pipelines.push(...words);
      }),
      { numRuns: 400 },
    );
    assertMany(seen.airflow, [/^u/, /^none$/]);
    assertMany(seen.pipelines, [/^p.$/, /reported$/, /^refused$/]);
  });

  it('never allow more when a deny rule is added or a binding is taken away', () => {
    fc.assert(
      fc.property(grantsAndRequests, denyGrant, fc.nat(), ({ policy, airflow, pipelines }, body, at) => {
        const { bindings, deny } = policy;
        const rules = compiled(policy);
        const stricter = [
          compiled({ ...policy, deny: [...deny, { ...body, name: 'added' }] }),
          compiled({ ...policy, bindings: bindings.toSpliced(at % bindings.length, 1) }),
        ];
        const all = [
          ...airflow.map((one) => (under: Rules) => under.decideAirflow(one, NOW)),
          ...pipelines.map((one) => (under: Rules) => under.decidePipeline(one, NOW)),
        ];
        const opened = all.filter((decide) => stricter.some((less) => decide(less).allowed) && !decide(rules).allowed);
        assert.deepEqual(opened, []);
      }),
      { numRuns: 150 },
    );
  });

  it('never depend on what a policy says of other kinds', () => {
    fc.assert(
      fc.property(grantsAndRequests, ({ policy, airflow, pipelines }) => {
        const without = (list: string) => policy.bindings.map((binding) => ({ ...binding, [list]: undefined }));
        // `roles` stays, so that a binding still gives something.
        const [noPipelines, noAirflow] = ['pipelines', 'airflow'].map((list) =>
          compiled({ ...policy, bindings: without(list) }),
        );
        const rules = compiled(policy);
        for (const one of airflow)
          assert.equal(noPipelines?.decideAirflow(one, NOW).grant?.name, rules.decideAirflow(one, NOW).grant?.name);
        for (const one of pipelines) assert.equal(pipelineWords(noAirflow as Rules, one), pipelineWords(rules, one));
      }),
      { numRuns: 100 },
    );
  });
});
