import assert from 'node:assert/strict';
import type { AirflowPermission, PipelinePermission } from '#gateway/policy/access-grants.ts';
import { AIRFLOW, PIPELINES } from '../../../support/sample-grants.ts';
import { binding, caller, NOW, policyFrom, token } from '../../../support/sample-policy.ts';

type Fields = Readonly<Record<string, unknown>>;

const examples = {
  allow: [{ claims: { project_id: '7' }, airflow: 'load' }],
  deny: [{ claims: { project_id: '8' }, airflow: 'load' }],
};
const gives = (fields: Fields = {}) =>
  binding({ roles: [], airflow: ['load'], pipelines: ['publish'], examples, ...fields });
const policy = (fields: Fields = {}) =>
  policyFrom({ airflow: AIRFLOW, pipelines: PIPELINES, bindings: [gives()], ...fields });
const airflow = (fields: Partial<AirflowPermission> = {}): AirflowPermission => ({
  caller: caller(),
  airflow: 'warehouse',
  ...fields,
});
const pipeline = (fields: Partial<PipelinePermission> = {}): PipelinePermission => ({
  caller: caller(),
  organization: 'https://dev.azure.com/fabrikam',
  project: 'Sales',
  pipeline: 12,
  ref: 'refs/heads/main',
  templateParameters: { day: '2026-11-20' },
  ...fields,
});
const words = (reasons: readonly { reason: string }[]) => reasons.map(({ reason }) => reason);

describe('a decision about a token for an Airflow', () => {
  it('gives the user of the grant to whom a binding knows', () => {
    const { allowed, wouldAllow, binding: by, grant, reasons } = policy().decideAirflow(airflow(), NOW);
    assert.deepEqual({ allowed, wouldAllow, by }, { allowed: true, wouldAllow: true, by: 'sales' });
    assert.deepEqual(grant, { name: 'load', airflow: 'warehouse', user: 'ci-load', role: 'op' });
    assert.deepEqual(words(reasons), ['binding']);
  });

  it('refuses an Airflow and a grant that the policy does not have, and a grant of another Airflow', () => {
    const rules = policy();
    for (const wanted of [{ airflow: 'other' }, { grant: 'none' }, { airflow: 'lake', grant: 'load' }])
      assert.deepEqual(words(rules.decideAirflow(airflow(wanted), NOW).reasons), ['unknown-grant']);
  });

  it('refuses a grant that no binding gives, and a caller whom none knows, without a grant', () => {
    const none = policy().decideAirflow(airflow({ grant: 'look' }), NOW);
    assert.deepEqual([none.allowed, none.grant, words(none.reasons)], [false, undefined, ['no-binding']]);
    const stranger = caller({ claims: { project_id: '8' } });
    const { allowed, grant, reasons } = policy().decideAirflow(airflow({ caller: stranger }), NOW);
    assert.deepEqual([allowed, grant, words(reasons)], [false, undefined, ['claim-mismatch']]);
  });

  it('refuses the token of a run, and an issuer of another policy', () => {
    const run = caller({ use: 'run' });
    assert.deepEqual(words(policy().decideAirflow(airflow({ caller: run }), NOW).reasons), ['run-token']);
    const foreign = caller({ iss: 'https://elsewhere.example.com' });
    assert.deepEqual(words(policy().decideAirflow(airflow({ caller: foreign }), NOW).reasons), ['unknown-issuer']);
  });

  it('takes the grant that the first binding names first when none is asked for', () => {
    const both = policy({ bindings: [gives({ airflow: ['look', 'load'] })] });
    assert.equal(both.decideAirflow(airflow(), NOW).grant?.name, 'look');
    assert.equal(both.decideAirflow(airflow({ grant: 'load' }), NOW).grant?.name, 'load');
  });

  it('has a deny rule win over every binding, for the grants that it names', () => {
    const deny = (fields: Fields) =>
      policy({
        bindings: [gives({ airflow: ['look', 'load'] })],
        deny: [{ name: 'stop', reason: 'incident', ...fields }],
      });
    for (const fields of [{}, { airflow: ['look', 'load'] }, { roles: ['sales'], airflow: ['look', 'load'] }]) {
      const { allowed, reasons } = deny(fields).decideAirflow(airflow(), NOW);
      assert.deepEqual([allowed, reasons], [false, [{ reason: 'deny-rule', rule: 'stop' }]]);
    }
    assert.equal(deny({ airflow: ['look'] }).decideAirflow(airflow({ grant: 'look' }), NOW).allowed, false);
    assert.equal(deny({ airflow: ['look'] }).decideAirflow(airflow(), NOW).grant?.name, 'load');
    for (const fields of [{ roles: ['sales'] }, { pipelines: ['publish'] }])
      assert.equal(deny(fields).decideAirflow(airflow(), NOW).allowed, true);
  });

  it('never hands out in report mode what enforcement refuses', () => {
    const needy = policy({ bindings: [gives({ mode: 'report', require: { approval: true } })] });
    const { allowed, wouldAllow, grant, reasons } = needy.decideAirflow(airflow(), NOW);
    assert.deepEqual([allowed, wouldAllow, grant], [false, false, undefined]);
    assert.deepEqual(words(reasons), ['require-approval']);
    const approved = needy.decideAirflow(airflow({ evidence: { approval: true } }), NOW);
    assert.deepEqual([approved.allowed, approved.wouldAllow], [true, true]);
  });

  it('ends with the period of its binding', () => {
    const short = policy({ bindings: [gives({ until: '2026-11-21', reason: 'trial' })] });
    assert.equal(short.decideAirflow(airflow(), NOW).until, Date.parse('2026-11-21T00:00:00Z'));
    assert.deepEqual(words(short.decideAirflow(airflow(), NOW + 86_400_000).reasons), ['outside-period']);
  });
});

describe('a decision about queueing a pipeline', () => {
  it('gives the grant whose ref and parameters hold', () => {
    const { allowed, wouldAllow, grant } = policy().decidePipeline(pipeline(), NOW);
    assert.deepEqual([allowed, wouldAllow], [true, true]);
    assert.deepEqual(grant, {
      name: 'publish',
      organization: 'https://dev.azure.com/fabrikam',
      project: 'Sales',
      pipeline: 12,
      contextParameter: 'queuedBy',
    });
  });

  it('knows a pipeline by both addresses and without regard to case, and no other', () => {
    const rules = policy();
    for (const same of [
      { organization: 'https://fabrikam.visualstudio.com', project: 'SALES' },
      { organization: 'https://DEV.azure.com/Fabrikam' },
    ])
      assert.equal(rules.decidePipeline(pipeline(same), NOW).allowed, true);
    for (const other of [
      { organization: 'https://dev.azure.com/contoso' },
      { organization: 'https://dev.azure.com.example.com/fabrikam' },
      { organization: 'https://dev.azure.com/fabrikam/x' },
      { organization: 'http://dev.azure.com/fabrikam' },
      { project: 'Sales2' },
      { pipeline: 13 },
    ])
      assert.deepEqual(words(rules.decidePipeline(pipeline(other), NOW).reasons), ['unknown-grant']);
  });

  it('refuses a ref without a condition that holds, and what is no ref', () => {
    const rules = policy();
    for (const ref of [
      'refs/heads/dev',
      'main',
      '',
      'refs/heads/release/1/2',
      'refs/heads/release/a b',
      'refs/heads/release/a\n',
      'refs/heads/release/',
      'refs/heads/release/..',
      'refs/heads/main ',
      'REFS/heads/main',
    ])
      assert.deepEqual(words(rules.decidePipeline(pipeline({ ref }), NOW).reasons), ['pipeline-ref'], ref);
    assert.equal(rules.decidePipeline(pipeline({ ref: 'refs/heads/release/4' }), NOW).allowed, true);
  });

  it('refuses parameters that are not named, do not fit or are left out', () => {
    const rules = policy();
    const reasons = (templateParameters: PipelinePermission['templateParameters']) =>
      words(rules.decidePipeline(pipeline({ templateParameters }), NOW).reasons);
    assert.deepEqual(reasons({}), ['parameter']);
    assert.deepEqual(reasons({ day: '2025-11-20' }), ['parameter']);
    assert.deepEqual(reasons({ day: '2026-11-20', dryRun: 'maybe' }), ['parameter']);
    assert.deepEqual(reasons({ day: '2026-11-20', dryRun: true }), ['binding']);
    assert.deepEqual(reasons({ day: '2026-11-20', extra: 1 }), ['parameter-unknown']);
    assert.deepEqual(reasons({ day: '2026-11-20', Day: '1' }), ['parameter-unknown']);
  });

  it('lets nobody give the parameter that the gateway fills, in no mode and in no spelling', () => {
    const reporting = policy({ mode: 'report' });
    for (const name of ['queuedBy', 'QUEUEDBY']) {
      const wanted = pipeline({ templateParameters: { day: '2026-11-20', [name]: '{}' } });
      for (const rules of [policy(), reporting]) {
        const { allowed, reasons } = rules.decidePipeline(wanted, NOW);
        assert.deepEqual([allowed, words(reasons)], [false, ['parameter-context']]);
      }
    }
  });

  it('lets nobody give it by another grant for the same pipeline', () => {
    const { contextParameter: _, ...other } = PIPELINES.publish;
    const pipelines = { ...PIPELINES, other: { ...other, organization: 'https://fabrikam.visualstudio.com' } };
    for (const mode of ['enforce', 'report']) {
      const rules = policy({ pipelines, bindings: [gives({ pipelines: ['other'], mode })] });
      const templateParameters = { day: '2026-11-20', QueuedBy: '{"caller":{"subject":"somebody else"}}' };
      const { allowed, reasons } = rules.decidePipeline(pipeline({ templateParameters }), NOW);
      assert.deepEqual([allowed, words(reasons)], [false, ['parameter-context']]);
    }
  });

  it('lets a report pass what require and parameters refuse, never the ref', () => {
    const reporting = policy({ bindings: [gives({ mode: 'report', require: { approval: true } })] });
    const { allowed, wouldAllow, grant, reasons } = reporting.decidePipeline(
      pipeline({ templateParameters: { day: 'x', more: 'y' } }),
      NOW,
    );
    assert.deepEqual([allowed, wouldAllow, grant?.name], [true, false, 'publish']);
    assert.deepEqual(words(reasons), ['require-approval', 'parameter', 'parameter-unknown']);
    const elsewhere = reporting.decidePipeline(pipeline({ ref: 'refs/heads/dev' }), NOW);
    assert.deepEqual([elsewhere.allowed, elsewhere.grant], [false, undefined]);
  });

  it('tries every grant for the pipeline, and no binding of another issuer', () => {
    const branches = { dev: { ...PIPELINES.publish, refs: [{ equals: 'refs/heads/dev' }] }, ...PIPELINES };
    const rules = policy({ pipelines: branches, bindings: [gives({ pipelines: ['publish', 'dev'] })] });
    assert.equal(rules.decidePipeline(pipeline({ ref: 'refs/heads/dev' }), NOW).grant?.name, 'dev');
    assert.equal(rules.decidePipeline(pipeline(), NOW).grant?.name, 'publish');
    const other = { ...token('entra', { project_id: '7' }), scope: '' };
    assert.deepEqual(words(rules.decidePipeline(pipeline({ caller: other }), NOW).reasons), ['no-binding']);
  });

  it('names no value of a parameter or ref in its reasons', () => {
    const wanted = pipeline({
      ref: 'refs/heads/canary',
      templateParameters: { day: 'canary', 'canary canary': 'canary' },
    });
    assert.doesNotMatch(JSON.stringify(policy().decidePipeline(wanted, NOW)), /canary/);
  });
});
