import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { COMMANDS } from '#cli/commands.ts';
import { runCommand } from '#cli/run-command.ts';
import { ROOT } from '../../../scripts/repository.ts';
import { AIRFLOW, PIPELINES } from '../../support/sample-grants.ts';
import { binding, policyText } from '../../support/sample-policy.ts';
import { RecordingTerminal } from './recording-terminal.ts';

const POLICY = readFileSync(resolve(ROOT, 'examples/gateway/policy.yaml'), 'utf8');
const CLAIMS = { tid: '4f1c6c5e-2b7a-4d0e-9a53-6c1f0b8d7e21', oid: '3d7b2f90-1e4c-4a8b-9c6d-5f0e8a1b7c42' };
const FACTS = { prj_id: '9c4e1f7a-2d3b-4a58-8e6f-7b0c5d1a2e93', def_id: '7', rpo_ref: 'refs/heads/main' };
const OTHER_ROLE = `  other:
    modules: [x]
    tasks: [X]
    environment: production
    code: { kind: installed, path: /x, python: bin/python }
    taskIdentities: [{ tasks: [X], identity: retail-reports }]
`;
const FILES = {
  policy: POLICY,
  broken: POLICY.replace('roles: [sales-report]', 'roles: [sales-report, payroll]'),
  wrong: POLICY.replace('title: another task of the module', 'title: the report after all').replace(
    'task: PriceList',
    'task: SalesReport, parameters: { date: 2026-01-01 }',
  ),
  open: POLICY.replace("        - { claim: def_id, runFacts: true, equals: '7' }\n", ''),
  listed: POLICY.replace("      - { tasks: ['*'] }\n", ''),
  shared: POLICY.replace('\nbindings:', `${OTHER_ROLE}\nbindings:`),
  claims: JSON.stringify(CLAIMS),
  facts: JSON.stringify(FACTS),
  branch: JSON.stringify({ ...FACTS, rpo_ref: 'refs/heads/feature' }),
  list: '[1]',
  grants: policyText({
    roles: undefined,
    airflow: AIRFLOW,
    pipelines: PIPELINES,
    bindings: [
      binding({
        roles: undefined,
        airflow: ['load'],
        pipelines: ['publish'],
        examples: {
          allow: [{ claims: { project_id: '7' }, airflow: 'load' }],
          deny: [{ claims: { project_id: '8' }, airflow: 'load' }],
        },
      }),
    ],
  }),
  gitlab: JSON.stringify({ project_id: '7' }),
};

async function plumbline(line: string) {
  const terminal = new RecordingTerminal({ files: FILES });
  const status = await runCommand(COMMANDS, line.split(' '), terminal);
  return { status, output: terminal.output, errors: terminal.errors.join('\n') };
}

const EXPLAIN =
  'policy explain policy --claims claims --role sales-report --module retail.orders_pipeline --task SalesReport';

describe('plumbline policy', () => {
  it('finds the example of the repository good, and its examples true', async () => {
    assert.equal((await plumbline('policy check policy')).status, 0);
    const { status, output } = await plumbline('policy test policy');
    assert.equal(status, 0);
    assert.match(output, /4 passed, 0 failed$/);
  });

  it('says where a file is wrong', async () => {
    const { status, output } = await plumbline('policy check broken');
    assert.equal(status, 2);
    assert.match(output, /^broken:\d+:\d+: error: bindings\[0\]\.roles\[1\] is not one of `roles`$/m);
    const json = JSON.parse((await plumbline('policy check broken --json')).output);
    assert.equal(json.ok, false);
    assert.equal(json.problems[0].field, 'bindings[0].roles[1]');
  });

  it('takes a grave remark for a no unless it is told otherwise', async () => {
    assert.equal((await plumbline('policy check open')).status, 2);
    assert.match((await plumbline('policy check open')).output, /azure-unpinned/);
    assert.equal((await plumbline('policy check open --fail-on never')).status, 0);
  });

  it('says which example does not come out', async () => {
    const { status, output } = await plumbline('policy test wrong');
    assert.equal(status, 2);
    assert.match(output, /FAIL {2}retail-pipeline-main, deny: the report after all: allowed by/);
    assert.match(output, /wrong:\d+:\d+: must be refused/);
    assert.match((await plumbline('policy check wrong')).output, /the example must be refused/);
  });

  it('explains an allowed run and a refused one', async () => {
    const allowed = await plumbline(`${EXPLAIN} --run-facts facts --param date=2026-11-20`);
    assert.equal(allowed.status, 0);
    assert.match(allowed.output, /^allowed by retail-pipeline-main/);
    const refused = await plumbline(`${EXPLAIN} --run-facts branch --param date=2026-11-20`);
    assert.equal(refused.status, 2);
    assert.match(refused.output, /no {3}run fact rpo_ref/);
    assert.doesNotMatch(refused.output, /feature/, 'claims are shown only on request');
    const shown = await plumbline(`${EXPLAIN} --run-facts branch --show-values`);
    assert.match(shown.output, /is "refs\/heads\/feature"/);
    const json = JSON.parse((await plumbline(`${EXPLAIN} --run-facts facts --json --param date=2027`)).output);
    assert.equal(json.allowed, false);
    assert.equal(json.reasons[0].field, 'parameter date');
  });

  it('explains whether a task of a run gets a token, and as whom', async () => {
    const question = `${EXPLAIN.replace('explain policy', 'explain listed')} --run-facts facts --param date=2026-11-20`;
    const token = await plumbline(`${question} --family RegionOrders`);
    assert.equal(token.status, 0);
    assert.match(token.output, /^task RegionOrders: a token as retail-customers$/m);
    const none = await plumbline(`${question} --family PriceList`);
    assert.equal(none.status, 2);
    assert.match(none.output, /^allowed by retail-pipeline-main/);
    assert.match(none.output, /^task PriceList: no token \(family\)$/m);
    const json = JSON.parse((await plumbline(`${question} --family RegionOrders --json`)).output);
    assert.deepEqual([json.ok, json.task.decision.identity.name], [true, 'retail-customers']);
    assert.equal(JSON.parse((await plumbline(`${question} --json`)).output).task, undefined);
  });

  it('explains a token for an Airflow, and whose it is', async () => {
    const question = 'policy explain grants --claims gitlab --issuer gitlab --airflow warehouse';
    const { status, output } = await plumbline(question);
    assert.equal(status, 0);
    assert.match(output, /^allowed by sales \(enforce\)\ngives load$/m);
    assert.equal((await plumbline(`${question} --grant look`)).status, 2);
    assert.equal(JSON.parse((await plumbline(`${question} --json`)).output).grant.user, 'ci-load');
  });

  it('explains whether a pipeline may be queued', async () => {
    const question =
      'policy explain grants --claims gitlab --issuer gitlab --pipeline 12 --project Sales ' +
      '--organization https://dev.azure.com/fabrikam --ref';
    const allowed = await plumbline(`${question} refs/heads/main --param day=2026-11-20`);
    assert.deepEqual([allowed.status, allowed.output.split('\n')[1]], [0, 'gives publish']);
    assert.equal((await plumbline(`${question} main --param day=2026-11-20`)).status, 0, 'as a request names a branch');
    const unusable = await plumbline(`${question} main..dev --param day=2026-11-20`);
    assert.equal(unusable.status, 64);
    const refused = await plumbline(`${question} refs/heads/dev --param day=2026-11-20`);
    assert.equal(refused.status, 2);
    assert.match(refused.output, /^because pipeline-ref · sales · ref$/m);
  });

  it('refuses one identity of two roles, whatever remarks it is to overlook', async () => {
    const { status, output } = await plumbline('policy check shared --fail-on never');
    assert.equal(status, 2);
    assert.match(
      output,
      /^shared:\d+:\d+: error: roles\.other\.taskIdentities\[0\]\.identity is an identity of tasks of 'sales-report' too/m,
    );
  });

  it('refuses questions that cannot be asked', async () => {
    assert.equal((await plumbline(`${EXPLAIN} --issuer nobody`)).status, 64);
    assert.equal((await plumbline(`${EXPLAIN} --workers many`)).status, 64);
    assert.equal((await plumbline(`${EXPLAIN} --airflow warehouse`)).status, 64);
    const incomplete = await plumbline('policy explain grants --claims gitlab --issuer gitlab --pipeline 12');
    assert.equal(incomplete.status, 64);
    assert.match(incomplete.errors, /--organization is missing/);
    assert.match((await plumbline('policy explain grants --claims gitlab')).errors, /--role is missing/);
    assert.equal((await plumbline(`${EXPLAIN} --at noon`)).status, 64);
    assert.equal((await plumbline(EXPLAIN.replace('--claims claims', '--claims list'))).status, 1);
  });

  it('prints the schema of policies', async () => {
    assert.equal(JSON.parse((await plumbline('policy schema')).output).required[0], 'apiVersion');
  });
});
