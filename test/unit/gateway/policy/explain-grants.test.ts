import assert from 'node:assert/strict';
import { explainAirflow, explainPipeline, formatExplanation } from '#gateway/policy/explain-decision.ts';
import { AIRFLOW, PIPELINES } from '../../../support/sample-grants.ts';
import { binding, caller, NOW, policyFrom } from '../../../support/sample-policy.ts';

const examples = {
  allow: [{ claims: { project_id: '7' }, airflow: 'load' }],
  deny: [{ claims: { project_id: '8' }, airflow: 'load' }],
};
const policy = policyFrom({
  roles: undefined,
  airflow: AIRFLOW,
  pipelines: PIPELINES,
  bindings: [binding({ roles: undefined, airflow: ['look', 'load'], pipelines: ['publish'], examples })],
  deny: [{ name: 'freeze', reason: 'x', airflow: ['look'] }],
});

describe('explainAirflow', () => {
  it('shows every grant that would answer, each with its deny rules and bindings', () => {
    const text = formatExplanation(explainAirflow(policy, { caller: caller(), airflow: 'warehouse' }, NOW));
    assert.equal(
      text,
      `allowed by sales (enforce)
gives load
policy sha256:${policy.sha256}
because binding · sales
  caller (caller)
    yes  issuer            an issuer of this policy
    yes  airflow grant     a grant of this policy
  deny freeze, load
    no   airflow grant     one of look
    yes  from, until       at any time, is 2026-11-20T12:00:00.000Z
  deny freeze, look
    yes  airflow grant     one of look
    yes  from, until       at any time, is 2026-11-20T12:00:00.000Z
  binding sales, look
    yes  issuer            gitlab
    yes  runFactsIssuer    none
    yes  claim project_id  equals "7"
    yes  from, until       at any time, is 2026-11-20T12:00:00.000Z
  binding sales, load
    yes  issuer            gitlab
    yes  runFactsIssuer    none
    yes  claim project_id  equals "7"
    yes  from, until       at any time, is 2026-11-20T12:00:00.000Z`,
    );
  });

  it('says that there is no such grant', () => {
    const { decision, rows } = explainAirflow(policy, { caller: caller(), airflow: 'warehouse', grant: 'none' }, NOW);
    assert.equal(decision.allowed, false);
    assert.deepEqual(
      rows.filter(({ matched, kind }) => !matched && kind === 'caller').map(({ field }) => field),
      ['grant'],
    );
  });
});

describe('explainPipeline', () => {
  const wanted = {
    caller: caller(),
    organization: 'https://dev.azure.com/fabrikam',
    project: 'Sales',
    pipeline: 12,
    ref: 'refs/heads/canary',
    templateParameters: { day: 'canary', queuedBy: 'canary', other: 'canary' },
  };

  it('shows ref and parameters, and their values only on request', () => {
    const text = formatExplanation(explainPipeline(policy, wanted, NOW));
    assert.match(text, /^refused\n/);
    assert.match(text, /\n {4}no {3}ref +equals "refs\/heads\/main" or like "refs\/heads\/release\/\*"\n/);
    assert.match(text, /\n {4}no {3}parameter day +like "2026-\*"\n/);
    assert.match(text, /\n {4}yes {2}parameter dryRun +one of true, false\n/);
    assert.match(text, /\n {4}no {3}parameter queuedBy +not given: the gateway fills it\n/);
    assert.match(text, /\n {4}no {3}parameter other +one that the policy names$/);
    assert.doesNotMatch(text, /canary/);
    const shown = formatExplanation(explainPipeline(policy, wanted, NOW, { showValues: true }));
    assert.match(shown, /is "refs\/heads\/canary"/);
  });
});
