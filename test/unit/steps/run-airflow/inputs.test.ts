import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ServiceConnection } from '#core/connection.ts';
import { PlumblineError } from '#core/errors.ts';
import { Secret } from '#core/secret.ts';
import { refuseSecrets } from '#steps/run-airflow/conf-inputs.ts';
import { type RunAirflowInputs, readInputs } from '#steps/run-airflow/inputs.ts';
import { failure } from '../../../support/plumbline-failure.ts';
import { recordingHost } from '../../../support/recording-host.ts';

const connection = (scheme: string): ServiceConnection => ({
  id: '3f2a7c1e-1111-4222-8333-944445555666',
  url: 'https://airflow.example.com',
  scheme,
  parameter: () => undefined,
  data: () => undefined,
});
const LINE = 'Azure Pipelines: fabrikam/Shop · nightly · 20261120.1 https://dev.azure.com/… [plumbline-1]';
const needed = { dagId: 'daily_report' };

interface Given {
  readonly scheme?: string;
  readonly azure?: boolean;
  readonly secrets?: readonly string[];
  readonly folder?: string;
}

function read(inputs: Record<string, string>, { scheme = 'Token', azure, secrets, folder }: Given = {}) {
  const connections = {
    ...(scheme !== '' && { airflow: connection(scheme) }),
    ...(azure && { azureSubscription: connection('WorkloadIdentityFederation') }),
  };
  const variables: Record<string, string> = folder === undefined ? {} : { 'System.DefaultWorkingDirectory': folder };
  return readInputs(recordingHost({ inputs, connections, variables, ...(secrets && { secrets }) }), () => LINE);
}

async function problems(inputs: Record<string, string>, given?: Given): Promise<string> {
  const error = await read(inputs, given).then(
    () => assert.fail('the inputs were accepted'),
    (thrown: unknown) => thrown,
  );
  assert(error instanceof PlumblineError);
  assert.equal(error.code, 'ERR_INPUT_INVALID');
  return error.message;
}

const confOf = async (conf: string, given?: Given) => (await read({ ...needed, conf }, given)).conf;

describe('readInputs of RunAirflow@1', () => {
  it('needs a connection and a DAG only, and fills in the documented defaults', async () => {
    const { connection: airflow, ...inputs } = await read(needed);
    assert.equal(airflow.scheme, 'Token');
    assert.deepEqual(inputs, {
      dagId: 'daily_report',
      credential: undefined,
      conf: {},
      logicalDate: undefined,
      note: undefined,
      unpause: false,
      wait: true,
      results: [],
      onExistingRun: 'adopt',
      dagVersion: undefined,
      queuedMs: 600_000,
      timeoutMs: undefined,
      failOnTaskFailure: false,
      lineage: 'run',
      lineageNamespace: 'default',
      calledBy: undefined,
    } satisfies Omit<RunAirflowInputs, 'connection'>);
  });

  it('names everything that is wrong at once', async () => {
    const wrong = {
      dagId: 'daily report',
      conf: '[1]',
      logicalDate: '2026-11-20',
      note: 'x'.repeat(1_000),
      unpause: 'perhaps',
      wait: 'no',
      results: 'a b: load',
      onExistingRun: 'again',
      dagVersion: 'main',
      queuedTimeout: 'soon',
      timeout: '0s',
      failOnTaskFailure: '1',
      lineage: 'maybe',
      calledBy: '{}',
      keyVault: 'sales-prod',
    };
    const message = await problems(wrong, { scheme: '' });
    for (const input of [...Object.keys(wrong), 'airflow']) assert.ok(message.includes(`- '${input}' `), input);
    assert.match(message, /16 inputs are not usable/);
  });

  it('takes the spellings of booleans that expressions of a pipeline write', async () => {
    const inputs = await read({ ...needed, unpause: 'True', wait: 'FALSE', failOnTaskFailure: 'False' });
    assert.deepEqual([inputs.unpause, inputs.wait, inputs.failOnTaskFailure], [true, false, false]);
  });

  it('takes blanks in calledBy for nothing, as a parameter without a value is written', async () => {
    assert.equal((await read({ ...needed, calledBy: ' ' })).calledBy, undefined);
  });

  it('refuses what only a step that waits can do', async () => {
    const waiting = { results: 'rows: load', timeout: '5m', failOnTaskFailure: 'true' };
    const message = await problems({ ...needed, wait: 'false', ...waiting });
    for (const input of Object.keys(waiting)) assert.ok(message.includes(`'${input}' `), input);
  });

  it('takes 0 for a run that may wait for ever in the queue', async () => {
    assert.equal((await read({ ...needed, queuedTimeout: '0' })).queuedMs, 0);
    assert.equal((await read({ ...needed, queuedTimeout: '90s' })).queuedMs, 90_000);
  });

  for (const date of ['2026-11-20T03:00:00Z', '2026-11-20T04:00:00.123456+01:00', '2024-02-29T00:00Z']) {
    it(`takes the logical date ${date}`, async () => {
      assert.equal((await read({ ...needed, logicalDate: date })).logicalDate, date);
    });
  }
  for (const date of ['2026-11-20', '2026-11-20T03:00:00', '2026-02-30T03:00:00Z', '20261120T030000Z', 'yesterday']) {
    it(`refuses the logical date ${date}`, async () => {
      assert.match(await problems({ ...needed, logicalDate: date }), /'logicalDate' is/);
    });
  }

  it('leaves room in the note for the lines that name the pipeline run', async () => {
    const room = 1_000 - 100 - LINE.length - 1;
    assert.equal((await read({ ...needed, note: 'x'.repeat(room) })).note?.length, room);
    assert.match(await problems({ ...needed, note: 'x'.repeat(room + 1) }), new RegExp(`at most ${room} characters`));
  });
});

describe('the conf of RunAirflow@1', () => {
  it('has the types that YAML gives it', async () => {
    const conf =
      'rows: 3\nshare: 0.5\nfull: true\nname: "3"\nday: 2026-11-20\nanswer: yes\nnone: ~\nempty:\nlist: [1, a]';
    assert.deepEqual(await confOf(conf), {
      rows: 3,
      share: 0.5,
      full: true,
      name: '3',
      day: '2026-11-20',
      answer: 'yes',
      none: null,
      empty: null,
      list: [1, 'a'],
    });
  });

  it('is JSON as it is', async () => {
    const conf = { rows: 3, nested: { list: [true, null, 'x', { y: 1e-3 }] }, text: '1', __proto__x: {} };
    assert.deepEqual(await confOf(JSON.stringify(conf, null, '\t')), conf);
    assert.deepEqual(await confOf(JSON.stringify(conf)), conf);
  });

  it('is text in key=value lines', async () => {
    assert.deepEqual(await confOf('rows=3\nfull = true'), { rows: '3', full: 'true' });
  });

  it('keeps a key that JavaScript has a meaning for', async () => {
    const conf = await confOf('__proto__: {admin: true}\nconstructor: x');
    assert.deepEqual(Object.keys(conf), ['__proto__', 'constructor']);
    assert.equal((conf as { admin?: unknown }).admin, undefined);
  });

  for (const conf of [
    'n: 12345678901234567890',
    'n: .nan',
    'n: .inf',
    'n: !!binary aGk=',
    'a: 1\na: 2',
    '- 1',
    'text',
  ]) {
    it(`refuses ${JSON.stringify(conf)}`, async () => {
      assert.match(await problems({ ...needed, conf }), /'conf' is 'unreadable/);
    });
  }

  for (const key of ['plumbline', 'openlineage']) {
    it(`leaves ${key} to Plumbline`, async () => {
      assert.match(await problems({ ...needed, conf: `${key}: {}` }), new RegExp(`'conf' is '${key}'`));
    });
  }

  it('is text that a database can keep', async () => {
    for (const conf of ['a: "x\\0y"', '{"b": ["\\ud800"]}', '{"c\\u0000": 1}']) {
      assert.match(await problems({ ...needed, conf }), /no null byte, no half of a character/, conf);
    }
    assert.match(await problems({ ...needed, conf: '1: a\n"1": b\n' }), /'1' is given twice/);
  });

  it('holds no secret that the step has read itself by the time it has signed in', async () => {
    const host = recordingHost({ inputs: { conf: 'given' } });
    const inputs = { conf: { a: { b: ['Bearer token-of-airflow'] } }, note: 'see token-of-airflow' };
    refuseSecrets(inputs, host);
    host.mask(new Secret('token-of-airflow'));
    assert.throws(
      () => refuseSecrets(inputs, host),
      failure('ERR_INPUT_INVALID', /'conf' is '\(not shown: 'a' holds a secret[\s\S]*'note' is '\(not shown/),
    );
  });

  it('holds no secret of the job, and the refusal does not show it', async () => {
    const secret = 'kanarie-7f3a91c2e5';
    for (const conf of [`password: ${secret}`, `a: {b: [1, "postgres://u:${secret}@h"]}`, `{"${secret}": 1}`]) {
      const message = await problems({ ...needed, conf }, { secrets: [secret] });
      assert.match(message, /holds a secret of this job/);
      assert.ok(!message.includes(secret));
    }
    const message = await problems({ ...needed, note: `see ${secret}` }, { secrets: [secret] });
    assert.ok(/'note' is '\(not shown/.test(message) && !message.includes(secret));
  });

  it('is not longer than Airflow is good for', async () => {
    assert.match(await problems({ ...needed, conf: `a: ${'x'.repeat(100_001)}` }), /at most 100000 characters/);
  });
});

describe('the conf file of RunAirflow@1', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'plumbline-conf-'));
    mkdirSync(join(folder, 'checkout/conf'), { recursive: true });
    writeFileSync(join(folder, 'checkout/conf/daily.yml'), 'rows: 3\n');
    writeFileSync(join(folder, 'outside.yml'), 'rows: 4\n');
    symlinkSync(join(folder, 'outside.yml'), join(folder, 'checkout/link.yml'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const checkout = () => ({ folder: join(folder, 'checkout') });

  it('is read below the checkout, with its types', async () => {
    assert.deepEqual((await read({ ...needed, confFile: 'conf/daily.yml' }, checkout())).conf, { rows: 3 });
    const absolute = join(folder, 'checkout/conf/daily.yml');
    assert.deepEqual((await read({ ...needed, confFile: absolute }, checkout())).conf, { rows: 3 });
  });

  for (const file of ['../outside.yml', 'link.yml', 'conf', '.', 'missing.yml', '/etc/hostname']) {
    it(`is not ${file}`, async () => {
      assert.match(await problems({ ...needed, confFile: file }, checkout()), /'confFile' is/);
    });
  }

  it('is not given together with conf', async () => {
    const message = await problems({ ...needed, conf: 'a: 1', confFile: 'conf/daily.yml' }, checkout());
    assert.match(message, /'confFile' is 'conf\/daily.yml'; allowed: nothing when 'conf' is given/);
  });
});

describe('the results of RunAirflow@1', () => {
  const resultsOf = async (results: string) => (await read({ ...needed, results })).results;

  it('are tasks by the name of a variable', async () => {
    assert.deepEqual(await resultsOf('rows: load\ncount: group.load.count\nthird: load[2]'), [
      { name: 'rows', task: 'load' },
      { name: 'count', task: 'group.load.count' },
      { name: 'third', task: 'load[2]' },
    ]);
    assert.deepEqual(await resultsOf('rows=load'), [{ name: 'rows', task: 'load' }]);
  });

  for (const results of ['a.b: load', 'a: [load]', 'a:', 'A: x\na: y', `${'x'.repeat(65)}: load`, '- a']) {
    it(`are not ${JSON.stringify(results.slice(0, 20))}`, async () => {
      assert.match(await problems({ ...needed, results }), /'results' is/);
    });
  }
});

describe('the credential of RunAirflow@1', () => {
  const secret = { credentialSecret: 'airflow-ci', keyVault: 'sales-prod' };

  it('is a secret of a vault that an Azure connection reads', async () => {
    const { credential } = await read({ ...needed, ...secret }, { azure: true });
    assert.deepEqual([credential?.secret, credential?.keyVault], [{ name: 'airflow-ci' }, 'sales-prod']);
    assert.equal(credential?.connection.scheme, 'WorkloadIdentityFederation');
  });

  it('needs all of its parts, and none without it', async () => {
    const alone = await problems({ ...needed, credentialSecret: 'airflow-ci' });
    for (const input of ['keyVault', 'azureSubscription']) assert.ok(alone.includes(`'${input}' is missing`), input);
    const without = await problems({ ...needed, keyVault: 'sales-prod' }, { azure: true });
    for (const input of ['keyVault', 'azureSubscription']) assert.match(without, new RegExp(`'${input}' is '`));
  });

  it('is refused where a gateway gives tokens', async () => {
    const message = await problems({ ...needed, ...secret }, { azure: true, scheme: 'None' });
    assert.match(message, /nothing with a connection through a gateway/);
  });

  it('is not shown when it is no name: it may be the password itself', async () => {
    const message = await problems({ ...needed, ...secret, credentialSecret: 'pa$$ word' }, { azure: true });
    assert.match(message, /'credentialSecret' is '\(not shown/);
    assert.ok(!message.includes('pa$$'));
  });
});
