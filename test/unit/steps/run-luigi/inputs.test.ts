import assert from 'node:assert/strict';
import type { ServiceConnection } from '#core/connection.ts';
import { PlumblineError } from '#core/errors.ts';
import { readInputs } from '#steps/run-luigi/inputs.ts';
import { recordingHost } from '../../../support/recording-host.ts';

const connection: ServiceConnection = {
  id: '3f2a7c1e-1111-4222-8333-944445555666',
  url: 'https://management.azure.com/',
  scheme: 'WorkloadIdentityFederation',
  parameter: () => undefined,
  data: () => undefined,
};
const needed = { module: 'sales.daily', task: 'DailyReport' };

function read(inputs: Record<string, string>, withConnection = false) {
  return readInputs(
    recordingHost({ inputs, ...(withConnection && { connections: { azureSubscription: connection } }) }),
  );
}

async function problems(inputs: Record<string, string>, withConnection = false): Promise<string> {
  const error = await read(inputs, withConnection).then(
    () => assert.fail('the inputs were accepted'),
    (thrown: unknown) => thrown,
  );
  assert(error instanceof PlumblineError);
  assert.equal(error.code, 'ERR_INPUT_INVALID');
  return error.message;
}

describe('readInputs of RunLuigi@1', () => {
  it('needs a module and a task only, and fills in the documented defaults', async () => {
    const { connection: none, ...inputs } = await read(needed);
    assert.equal(none, undefined);
    assert.deepEqual(inputs, {
      ...needed,
      parameters: {},
      keyVault: undefined,
      secrets: [],
      taskIdentity: 'none',
      python: undefined,
      virtualEnv: undefined,
      workingDirectory: process.cwd(),
      scheduler: 'local',
      workers: 1,
      timeoutMs: undefined,
      onExistingRun: 'adopt',
      lineage: 'run',
      calledBy: undefined,
      gateway: undefined,
    });
  });

  it('names everything that is wrong at once', async () => {
    const message = await problems({
      module: 'sales daily',
      workers: '0',
      timeout: 'soon',
      lineage: 'maybe',
      scheduler: 'ftp://x',
      workingDirectory: 'no/such/folder',
      parameters: 'a: [',
      python: 'python3',
      virtualEnv: '.venv',
    });
    for (const name of [
      'module',
      'task',
      'workers',
      'timeout',
      'lineage',
      'scheduler',
      'workingDirectory',
      'parameters',
      'virtualEnv',
    ]) {
      assert.match(message, new RegExp(`- '${name}' `), name);
    }
  });

  for (const path of ['a\0b', 'x'.repeat(5_000), 'package.json']) {
    it(`says that ${JSON.stringify(path.slice(0, 20))} is no folder`, async () => {
      assert.match(await problems({ ...needed, workingDirectory: path }), /- 'workingDirectory' .* an existing folder/);
    });
  }

  it('refuses a task name that luigi would take for an option', async () => {
    assert.match(await problems({ ...needed, task: '--help' }), /'task' is '--help'; allowed: a Luigi task family/);
  });

  for (const scheduler of [
    'http://user:hunter2@luigi.example',
    'http://svc:hunter2#w0rd@luigid:8082',
    'svc:hunter2@luigid:8082',
    'http://hunter2\\@127.0.0.1:9/',
    'http://luigid:8082/?token=hunter2',
    'http://luigid:8082/#hunter2',
  ]) {
    it(`refuses ${scheduler} as a scheduler without repeating it`, async () => {
      const message = await problems({ ...needed, scheduler });
      assert.match(
        message,
        /'scheduler' is '\(not shown: it may hold a password\)'; allowed: 'local' or the http\(s\) URL/,
      );
      assert.doesNotMatch(message, /hunter2|luigi\.example|127\.0\.0\.1/);
    });
  }

  for (const scheduler of [
    'http:luigid:8082',
    'http:///luigid',
    'luigid:8082',
    'http://luigid:8082 x',
    'file:///etc',
  ]) {
    it(`refuses ${scheduler} as a scheduler`, async () => {
      assert.match(await problems({ ...needed, scheduler }), /'scheduler' is '[^(]/);
    });
  }

  it('takes the URL of a luigid as it is given', async () => {
    const scheduler = 'https://luigid.example:8082/base';
    assert.equal((await read({ ...needed, scheduler })).scheduler, scheduler);
  });

  it('drops no parameter whatever its name is', async () => {
    const { parameters } = await read({ ...needed, parameters: '__proto__: 1\nconstructor: 2' });
    assert.deepEqual(JSON.parse(JSON.stringify(parameters)), JSON.parse('{"__proto__": "1", "constructor": "2"}'));
    assert.deepEqual(Object.keys(parameters), ['__proto__', 'constructor']);
    assert.match(await problems({ ...needed, parameters: '{"__proto__": 1, "_-proto__": 2}' }), /each parameter once/);
  });

  it('reads where each secret goes', async () => {
    const { secrets } = await read(
      {
        ...needed,
        keyVault: 'team-vault',
        secrets:
          'DB_PASSWORD: db-password\nfiles.KEY_FILE: signing-key/0123456789abcdef0123456789ABCDEF\nparameters.api-token: api-token',
      },
      true,
    );
    assert.deepEqual(secrets, [
      { target: 'environment', name: 'DB_PASSWORD', secret: { name: 'db-password' } },
      {
        target: 'file',
        name: 'KEY_FILE',
        secret: { name: 'signing-key', version: '0123456789abcdef0123456789abcdef' },
      },
      { target: 'parameter', name: 'api_token', secret: { name: 'api-token' } },
    ]);
  });

  it('refuses secrets that name no place, no secret, a reserved or a doubled name', async () => {
    const secrets = 'A: bad_name\nPATH: x\n2B: x\nfiles.C: x\nC: y\nparameters.day: z';
    const message = await problems({ ...needed, keyVault: 'v', secrets, parameters: 'day=1' }, true);
    for (const key of ['A', 'PATH', '2B', 'C', 'parameters.day'])
      assert.match(message, new RegExp(`'secrets' is '${key}'`), key);
  });

  it('wants a connection and a vault when there are secrets, and a connection for a task identity', async () => {
    const message = await problems({ ...needed, secrets: 'A: a' });
    assert.match(message, /'azureSubscription' is missing; allowed: .* because of secrets/);
    assert.match(message, /'keyVault' is missing/);
    assert.match(await problems({ ...needed, taskIdentity: 'connection' }), /because of taskIdentity/);
  });

  it('wants secrets when a vault is named', async () => {
    assert.match(await problems({ ...needed, keyVault: 'v' }, true), /'secrets' is missing/);
  });
});

describe('readInputs of RunLuigi@1 with runOn: gateway', () => {
  const gateway: ServiceConnection = { ...connection, url: 'https://plumbline.example.com', scheme: 'None' };
  const host = (inputs: Record<string, string>, connections: Record<string, ServiceConnection> = { gateway }) =>
    recordingHost({ inputs: { ...needed, ...inputs }, connections });
  const refused = async (inputs: Record<string, string>, connections?: Record<string, ServiceConnection>) => {
    const error = await readInputs(host(inputs, connections)).then(
      () => assert.fail('the inputs were accepted'),
      (thrown: unknown) => thrown,
    );
    assert(error instanceof PlumblineError);
    return error.message;
  };
  const atGateway = { runOn: 'gateway', role: 'sales-nightly' };

  it('takes connection and role, and waits unless it is told not to', async () => {
    assert.deepEqual((await readInputs(host(atGateway))).gateway, {
      connection: gateway,
      role: 'sales-nightly',
      wait: true,
    });
    for (const wait of ['false', 'False']) {
      assert.equal((await readInputs(host({ ...atGateway, wait }))).gateway?.wait, false);
    }
  });

  it('takes the defaults of inputs of the other mode for nothing', async () => {
    const inputs = await readInputs(host({ ...atGateway, scheduler: 'local', taskIdentity: 'none' }));
    assert.equal(inputs.gateway?.role, 'sales-nightly');
  });

  it('refuses every input that the role decides, together, and shows no secret', async () => {
    const message = await refused(
      {
        ...atGateway,
        python: 'python3',
        virtualEnv: '.venv',
        workingDirectory: 'no/such/folder',
        scheduler: 'http://user:hunter2@luigid:8082',
        keyVault: 'vault',
        secrets: 'A: hunter2',
        taskIdentity: 'connection',
        azureSubscription: 'some connection',
      },
      { gateway, azureSubscription: connection },
    );
    for (const name of [
      'python',
      'virtualEnv',
      'workingDirectory',
      'scheduler',
      'keyVault',
      'secrets',
      'taskIdentity',
      'azureSubscription',
    ]) {
      assert.match(message, new RegExp(`- '${name}' is .* nothing with runOn: gateway, because the `), name);
    }
    assert.doesNotMatch(message, /hunter2/);
  });

  it('needs a role and a connection', async () => {
    const message = await refused({ runOn: 'gateway' }, {});
    assert.match(message, /'role' is missing; allowed: the name of a role of the gateway/);
    assert.match(message, /'gateway' is missing; allowed: a service connection of the type 'Plumbline gateway'/);
    assert.match(await refused({ runOn: 'gateway', role: '../etc' }), /'role' is '\.\.\/etc'/);
  });

  it('refuses them on an agent', async () => {
    const message = await refused({ role: 'sales', wait: 'false' });
    for (const name of ['gateway', 'role', 'wait']) assert.match(message, new RegExp(`- '${name}' is `), name);
    assert.match(await refused({ runOn: 'cloud' }, {}), /'runOn' is 'cloud'; allowed: agent, gateway/);
    assert.match(await refused({ ...atGateway, wait: 'perhaps' }), /'wait' is 'perhaps'; allowed: true, false/);
  });
});
