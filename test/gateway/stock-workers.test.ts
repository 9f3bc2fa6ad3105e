import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { reportAudit } from '#gateway/audit/report-audit.ts';
import { startLuigidOnSocket } from '../../scripts/start-luigid.ts';
import { luigiPython } from '../support/luigi-scenario.ts';
import { ServedGateway } from '../support/served-gateway.ts';
import { TaskTokenClient } from '../support/task-token-client.ts';

const BODY = { role: 'etl', module: 'tasks_here', task: 'Load', parameters: { date: '1' } };
const ROLE = { scheduler: undefined, namespaces: [''], stockLuigi: true, taskIdentities: [{ tasks: ['*'] }] };

interface Registered {
  readonly workerId: string;
  readonly schedulerUrl: string;
  readonly expiresAt: number;
  readonly environment: Readonly<Record<string, string>>;
}

describe('stock workers, at a gateway', function () {
  this.timeout(60_000);
  const gateway = new ServedGateway({
    config: { luigid: { socket: 'luigid.sock' }, issuer: { url: 'https://tokens.example.com' } },
    role: ROLE,
  });
  let closeLuigid = async () => {};
  let keys = 0;

  before(async () => {
    const luigid = await startLuigidOnSocket(gateway.folder, luigiPython(), join(gateway.folder, 'luigid.sock'));
    closeLuigid = luigid.close;
    await gateway.start();
  });
  after(async () => {
    await closeLuigid();
    await gateway.close();
  });

  function post(token: string, body: object = BODY, key = `key-${++keys}`): Promise<Response> {
    const headers = { 'content-type': 'application/json', 'idempotency-key': key };
    return gateway.request('/v1/luigid/workers', token, { method: 'POST', headers, body: JSON.stringify(body) });
  }

  async function registered(token = gateway.token(), body: object = BODY, key?: string): Promise<Registered> {
    const answer = await post(token, body, key);
    assert.equal(answer.status, 201, await answer.clone().text());
    return (await answer.json()) as Registered;
  }

  function end({ workerId }: Registered, token = gateway.token()): Promise<Response> {
    return gateway.request(`/v1/luigid/workers/${workerId}`, token, { method: 'DELETE' });
  }

  const passwordOf = ({ schedulerUrl }: Registered) => new URL(schedulerUrl).password;

  /** A call to luigid with the credential of the URL; gives status and code. */
  async function call(
    worker: Registered,
    method = 'ping',
    data: object = { worker: worker.workerId },
  ): Promise<string> {
    const { username, password, origin, pathname } = new URL(worker.schedulerUrl);
    const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
    const answer = await fetch(`${origin}${pathname}/api/${method}`, {
      method: 'POST',
      headers: { authorization },
      body: new URLSearchParams({ data: JSON.stringify(data) }),
    });
    const { code = '' } = (await answer.json()) as { code?: string };
    return `${answer.status} ${code}`.trim();
  }

  async function codeOf(answer: Response): Promise<string> {
    return `${answer.status} ${((await answer.json()) as { code: string }).code}`;
  }

  it('are given once what their Luigi needs, and nothing keeps it', async () => {
    const answer = await post(gateway.token());
    assert.equal(answer.status, 201);
    assert.equal(answer.headers.get('cache-control'), 'no-store');
    const worker = (await answer.json()) as Registered;
    assert.equal(answer.headers.get('location'), `/v1/luigid/workers/${worker.workerId}`);
    const url = new URL(worker.schedulerUrl);
    assert.match(worker.workerId, /^[0-9a-f-]{36}\.0$/);
    assert.deepEqual([url.origin, url.pathname, url.username], [gateway.url, '/luigid', worker.workerId]);
    assert.match(url.password, /^pls_[\w-]{43}$/);
    assert.deepEqual(worker.environment, {
      PLUMBLINE_SCHEDULER_URL: worker.schedulerUrl,
      PLUMBLINE_WORKER_ID: worker.workerId,
    });
    const inFiveMinutes = Date.now() + 300_000;
    assert.ok(worker.expiresAt <= inFiveMinutes && worker.expiresAt > inFiveMinutes - 60_000, 'maxRuntime of the role');
    assert.equal(gateway.log.includes(passwordOf(worker)), false);
    assert.equal(JSON.stringify(gateway.audit()).includes(passwordOf(worker)), false);
  });

  it('speak to luigid as themselves, and as a worker that they start', async () => {
    const worker = await registered();
    assert.equal(await call(worker), '200');
    assert.equal(await call(worker, 'ping', { worker: `${worker.workerId}:child` }), '200');
    const other = await registered();
    assert.equal(await call(worker, 'ping', { worker: other.workerId }), '403 luigid-denied');
    assert.equal(
      await call(worker, 'get_work', { worker: other.workerId, host: 'h', current_tasks: [] }),
      '403 luigid-denied',
    );
    assert.equal(await call(worker, 'pause', {}), '403 luigid-denied');
  });

  it('buy no token with their password, and start nothing with it', async () => {
    const worker = await registered();
    const password = passwordOf(worker);
    const client = new TaskTokenClient(gateway);
    for (const token of [password, `plw_${worker.workerId}.${password.slice(4)}`]) {
      const answer = await client.exchange(token, { task_family: 'Load', task_id: 'Load_1_0123456789' });
      assert.equal(answer.status, 400, answer.text);
      assert.equal((JSON.parse(answer.text) as { error: string }).error, 'invalid_grant');
    }
    const basic = Buffer.from(`${worker.workerId}:${password}`).toString('base64');
    for (const authorization of [`Bearer ${password}`, `Basic ${basic}`]) {
      const answer = await fetch(`${gateway.url}/v1/runs`, { headers: { authorization } });
      assert.equal(answer.status, 401);
      const ended = await fetch(`${gateway.url}/v1/luigid/workers/${worker.workerId}`, {
        method: 'DELETE',
        headers: { authorization },
      });
      assert.equal(ended.status, 401);
    }
    assert.equal(await call(worker), '200');
  });

  it('are whoever registered them: nobody else ends them, and a run token registers nobody', async () => {
    const worker = await registered();
    assert.equal(await codeOf(await end(worker, gateway.token('mallory'))), '404 not-found');
    const created = await gateway.create(gateway.token(), 'a-run', { task: 'Load', parameters: { date: 'r' } });
    const { runToken } = (await created.json()) as { runToken: string };
    assert.equal(await codeOf(await post(runToken)), '403 token-scope');
    assert.equal(await codeOf(await end(worker, runToken)), '403 token-scope');
    assert.equal(await call(worker), '200');
    assert.equal((await end(worker)).status, 204);
    assert.equal(await call(worker), '401 worker-unknown');
    assert.equal(await codeOf(await end(worker)), '404 not-found');
  });

  it('are decided on like runs', async () => {
    const token = gateway.token();
    for (const [body, expected] of [
      [{ ...BODY, task: 'Other' }, '403 run-denied'],
      [{ ...BODY, role: 'root' }, '403 run-denied'],
      [{ ...BODY, lifetimeMs: 600_000 }, '403 run-denied'],
      [{ ...BODY, lifetimeMs: '1' }, '400 request-invalid'],
      [{ role: 'etl' }, '400 request-invalid'],
      [{ ...BODY, workers: 4 }, '400 request-invalid'],
    ] as const)
      assert.equal(await codeOf(await post(token, body)), expected, JSON.stringify(body));
    assert.equal(await codeOf(await post(gateway.token('eve', 'app', { team: 'other' }))), '403 run-denied');
    assert.equal(
      await codeOf(await gateway.request('/v1/luigid/workers', token, { method: 'POST' })),
      '400 request-invalid',
    );
  });

  it('are the same for the same request, also with a token for one request', async () => {
    const token = gateway.token('alice', 'ci');
    const worker = await registered(token, BODY, 'once');
    const again = await post(token, BODY, 'once');
    assert.equal(again.status, 200);
    assert.deepEqual(await again.json(), worker);
    assert.equal(await codeOf(await post(token, BODY, 'another')), '401 token-used');
    assert.equal(
      await codeOf(await post(gateway.token('alice', 'ci'), { ...BODY, task: 'Gate' }, 'once')),
      '422 key-reused',
    );
  });

  it('outlive the gateway, and end by their time', async () => {
    const [long, short] = [await registered(), await registered(undefined, { ...BODY, lifetimeMs: 3_000 })];
    assert.equal(await call(short), '200');
    await gateway.stop('SIGKILL');
    await gateway.start();
    assert.equal(await call(long), '200');
    await gateway.until(async () => (await call(short)) === '401 worker-unknown');
    assert.ok(Date.now() >= short.expiresAt - 50);
    assert.equal(await call(long), '200');
  });

  it('end with the policy that allowed them, for good', async () => {
    const worker = await registered();
    const lived = readFileSync(gateway.policyFile, 'utf8');
    writeFileSync(
      gateway.policyFile,
      lived.replace(/team: data|equals: data/g, (text) => text.replace('data', 'nobody')),
    );
    await gateway.until(async () => (await call(worker)) === '401 worker-unknown');
    writeFileSync(gateway.policyFile, lived);
    const again = await registeredWhenAllowed();
    assert.equal(await call(again), '200');
    assert.equal(await call(worker), '401 worker-unknown');
    const ends = () =>
      gateway
        .audit()
        .filter(({ subject }) => worker.workerId.startsWith(`${subject}.`))
        .at(-1);
    await gateway.until(() => ends()?.data['reason'] === 'policy');
  });

  async function registeredWhenAllowed(): Promise<Registered> {
    let answer = await post(gateway.token());
    await gateway.until(async () => {
      if (answer.status !== 201) answer = await post(gateway.token());
      return answer.status === 201;
    });
    return (await answer.json()) as Registered;
  }
});

describe('stock workers of a binding that reports', function () {
  this.timeout(60_000);
  const gateway = new ServedGateway({
    config: { luigid: { socket: 'luigid.sock' } },
    role: { ...ROLE, taskIdentities: undefined, namespaces: ['sales'] },
    policy: { mode: 'report' },
  });
  let closeLuigid = async () => {};

  before(async () => {
    const luigid = await startLuigidOnSocket(gateway.folder, luigiPython(), join(gateway.folder, 'luigid.sock'));
    closeLuigid = luigid.close;
    await gateway.start();
  });
  after(async () => {
    await closeLuigid();
    await gateway.close();
  });

  it('go on with what enforcement would refuse, and the report says whose it is', async () => {
    const headers = { 'content-type': 'application/json', 'idempotency-key': 'reported' };
    const body = JSON.stringify({ ...BODY, task: 'Elsewhere' });
    const answer = await gateway.request('/v1/luigid/workers', gateway.token(), { method: 'POST', headers, body });
    assert.equal(answer.status, 201, await answer.clone().text());
    const { workerId, schedulerUrl } = (await answer.json()) as Registered;
    const { origin, pathname, username, password } = new URL(schedulerUrl);
    const data = { task_id: 'other.Load_1_0123456789', family: 'other.Load', worker: workerId };
    const call = await fetch(`${origin}${pathname}/api/add_task`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` },
      body: new URLSearchParams({ data: JSON.stringify(data) }),
    });
    assert.equal(call.status, 200, await call.text());
    const report = await reportAudit({ directory: join(gateway.folder, 'state/audit'), from: 0, to: Date.now() + 1 });
    const who = { binding: 'app', role: 'etl', issuer: 'app', subject: 'alice' };
    assert.deepEqual(
      report.wouldRefuse.map(({ first: _, last: __, address: ___, worker: ____, ...row }) => row),
      [
        { what: 'worker', ...who, call: 'tasks_here.Elsewhere', namespace: undefined, reason: 'task task', count: 1 },
        { what: 'luigid', ...who, call: 'add_task', namespace: 'other', reason: 'namespace', count: 1 },
      ],
    );
  });
});
