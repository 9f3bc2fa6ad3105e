import assert from 'node:assert/strict';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { eventsOf, ServedGateway } from '../support/served-gateway.ts';

describe('a gateway that serves', function () {
  this.timeout(60_000);
  const gateway = new ServedGateway();
  before(() => gateway.start());
  after(() => gateway.close());

  interface Created {
    readonly id: string;
    readonly runToken: string;
    readonly state: string;
    readonly endedAt?: number;
    readonly links: Readonly<Record<string, string>>;
  }

  it('takes a run from its creation to its lineage', async () => {
    const token = gateway.token();
    const body = { task: 'Load', parameters: { date: '2026-01-01' } };
    const answer = await gateway.create(token, 'whole', body);
    const run = (await answer.json()) as Created;
    assert.equal(answer.status, 201, JSON.stringify(run));
    assert.equal(answer.headers.get('location'), run.links['self']);
    const events = await eventsOf(await gateway.request(run.links['events'] ?? '', run.runToken));
    assert.equal(events.at(-1)?.event, 'end');
    assert.equal(events.at(-2)?.data.outcome.state, 'succeeded');
    assert.deepEqual(
      events.slice(0, -1).map(({ id }) => id),
      events.slice(0, -1).map((_, i) => String(i + 1)),
    );
    const logs = await (await gateway.request(run.links['logs'] ?? '', run.runToken)).text();
    assert.match(logs, /from the task/);
    assert.doesNotMatch(logs, /##vso\[/);
    const part = await gateway.request(run.links['logs'] ?? '', run.runToken, { headers: { range: 'bytes=5-9' } });
    assert.equal(part.status, 206);
    assert.equal(await part.text(), logs.slice(5, 10));
    const graph = (await (await gateway.request(run.links['graph'] ?? '', run.runToken)).json()) as {
      nodes: { family: string }[];
    };
    assert.deepEqual(graph.nodes.map(({ family }) => family).sort(), ['Get', 'Load']);
    const lineage = (await (await gateway.request(run.links['lineage'] ?? '', run.runToken)).json()) as {
      events: unknown[];
    };
    assert.ok(lineage.events.length >= 4);
    const again = await gateway.create(token, 'whole', body);
    assert.equal(again.status, 200);
    const same = (await again.json()) as Created;
    assert.deepEqual([same.id, Number.isInteger(same.endedAt)], [run.id, true]);
    const other = await gateway.create(token, 'whole', { ...body, parameters: { date: '2026-01-02' } });
    assert.equal(other.status, 422);
  });

  it('refuses a bad token with its reason, and records it', async () => {
    const answer = await gateway.request('/v1/runs', gateway.token('alice', 'app', { aud: 'another' }));
    assert.equal(answer.status, 401);
    assert.equal(answer.headers.get('content-type'), 'application/problem+json; charset=utf-8');
    assert.match(answer.headers.get('www-authenticate') ?? '', /error="invalid_token"/);
    const problem = (await answer.json()) as { code: string; reason: string };
    assert.deepEqual([problem.code, problem.reason], ['token-untrusted', 'audience']);
    const refused = gateway.audit().filter(({ type }) => type === 'dev.plumbline.token.refused');
    assert.equal(refused.at(-1)?.data['reason'], 'audience');
  });

  it('denies what the policy does not allow', async () => {
    const answer = await gateway.create(gateway.token(), 'denied', { task: 'Get', parameters: { date: 'x' } });
    assert.equal(answer.status, 403);
    const { code, requestId } = (await answer.json()) as { code: string; requestId: string };
    assert.equal(code, 'run-denied');
    const told = gateway.audit().filter(({ data }) => data['requestId'] === requestId);
    assert.deepEqual(typesOf(told), ['token.used', 'run.denied'], 'the operator finds it by the id of the request');
  });

  it('shows a run to its creator alone', async () => {
    const body = { task: 'Load', parameters: { date: '2026-01-03' } };
    const run = (await (await gateway.create(gateway.token('alice'), 'mine', body)).json()) as Created;
    const other = (await (await gateway.create(gateway.token('bob'), 'mine', body)).json()) as Created;
    assert.notEqual(other.id, run.id);
    for (const path of ['', '/events', '/logs', '/graph', '/lineage']) {
      for (const token of [gateway.token('bob'), other.runToken]) {
        const answer = await gateway.request(`/v1/runs/${run.id}${path}`, token);
        assert.equal(answer.status, 404, path);
        assert.equal(((await answer.json()) as { code: string }).code, 'run-unknown');
      }
    }
    const cancel = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"reason":"cancelled"}' };
    assert.equal((await gateway.request(`/v1/runs/${run.id}/cancel`, gateway.token('bob'), cancel)).status, 404);
    assert.equal((await gateway.request(`/v1/runs/${run.id}/token`, other.runToken, { method: 'POST' })).status, 404);
  });

  it('lets an ID token make one request, and the very same one again', async () => {
    const token = gateway.token('carol', 'ci');
    const body = { task: 'Load', parameters: { date: '2026-01-04' } };
    const first = await gateway.create(token, 'once', body);
    assert.equal(first.status, 201);
    assert.equal((await gateway.create(token, 'once', body)).status, 200);
    for (const answer of [await gateway.create(token, 'twice', body), await gateway.request('/v1/runs', token)]) {
      assert.equal(answer.status, 401);
      assert.equal(((await answer.json()) as { code: string }).code, 'token-used');
    }
  });

  it('stops a run that is cancelled', async () => {
    const run = (await (
      await gateway.create(gateway.token(), 'stop', { task: 'Gate', parameters: { name: 'stop' } })
    ).json()) as Created;
    await gateway.until(() => existsSync(join(gateway.out, 'waiting-stop')));
    const answer = await gateway.request(`/v1/runs/${run.id}/cancel`, run.runToken, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ reason: 'cancelled' }),
    });
    assert.equal(answer.status, 200);
    const { answer: said, run: after } = (await answer.json()) as { answer: string; run: Created };
    assert.deepEqual([said, after.state], ['stopped', 'cancelled']);
    const id = answer.headers.get('x-request-id');
    const told = gateway.audit().filter(({ data }) => data['requestId'] === id);
    assert.ok(typesOf(told).includes('run.cancel.intent'), 'the operator finds it by the id of the request');
  });

  it('goes on with a run over a restart, and a watcher resumes', async () => {
    const run = (await (
      await gateway.create(gateway.token(), 'over', { task: 'Gate', parameters: { name: 'over' } })
    ).json()) as Created;
    await gateway.until(() => existsSync(join(gateway.out, 'waiting-over')));
    const watching = gateway.request(`/v1/runs/${run.id}/events`, run.runToken).then((stream) => eventsOf(stream));
    const pid = readFileSync(join(gateway.out, 'waiting-over'), 'utf8');
    assert.equal(await gateway.stop(), 0);
    const before = await watching;
    assert.notEqual(before.at(-1)?.event, 'end');
    process.kill(Number(pid), 0);
    await gateway.start();
    const last = before.at(-1)?.id ?? '0';
    writeFileSync(join(gateway.out, 'open-over'), '');
    const headers = { 'last-event-id': last };
    const rest = await eventsOf(await gateway.request(`/v1/runs/${run.id}/events`, run.runToken, { headers }));
    assert.equal(rest[0]?.id, String(Number(last) + 1));
    assert.equal(rest.at(-2)?.data.outcome.state, 'succeeded');
    assert.equal(rest.at(-1)?.event, 'end');
  });

  it('goes on over the death of the gateway', async () => {
    const run = (await (
      await gateway.create(gateway.token(), 'death', { task: 'Gate', parameters: { name: 'death' } })
    ).json()) as Created;
    await gateway.until(() => existsSync(join(gateway.out, 'waiting-death')));
    assert.equal(await gateway.stop('SIGKILL'), 'SIGKILL');
    writeFileSync(join(gateway.out, 'open-death'), '');
    await gateway.start();
    const events = await eventsOf(await gateway.request(`/v1/runs/${run.id}/events`, run.runToken));
    assert.equal(events.at(-2)?.data.outcome.state, 'succeeded');
  });

  it('takes a new policy, and keeps the last one when a file is no policy', async () => {
    const token = gateway.token('dave');
    const body = { task: 'Load', parameters: { date: '2026-01-05' } };
    writeFileSync(gateway.policyFile, stringify(gateway.policy({ tasks: ['Gate'] })));
    await gateway.until(async () => (await gateway.create(token, `d${Date.now()}`, body)).status === 403);
    writeFileSync(gateway.policyFile, 'apiVersion: nonsense\n');
    await gateway.until(async () => /rejected/.test(await (await fetch(`${gateway.url}/readyz`)).text()));
    assert.equal((await gateway.create(token, 'still', body)).status, 403);
    writeFileSync(gateway.policyFile, stringify(gateway.policy()));
    await gateway.until(async () => (await gateway.create(token, 'good', body)).status === 201);
    const types = gateway.audit().map(({ type }) => type.slice('dev.plumbline.policy.'.length));
    assert.ok(types.includes('loaded') && types.includes('rejected'));
    assert.match(await (await fetch(gateway.metricsUrl)).text(), /plumbline_policy_loads_total\{result="rejected"\} 1/);
  });

  it('tells nothing of tokens in its log at the lowest level', async () => {
    const canary = 'canary0canary0canary0';
    const token = gateway.token('alice', 'app', { canary });
    await gateway.request(`/v1/runs?key=${canary}`, token, { headers: { 'x-canary': canary, cookie: canary } });
    await gateway.request(`/v1/runs/${canary}`, token);
    await gateway.request(`/v1/runs`, `${canary}.${canary}.${canary}`);
    await gateway.create(token, canary, { task: 'Load', parameters: { date: canary }, [canary]: 1 });
    const run = (await (
      await gateway.create(token, 'c', { task: 'Load', parameters: { date: '1' } })
    ).json()) as Created;
    await eventsOf(await gateway.request(`/v1/runs/${run.id}/events`, run.runToken));
    for (const secret of [canary, token, token.split('.')[2] ?? '', run.runToken, 'Bearer'])
      assert.ok(!gateway.log.includes(secret), secret.slice(0, 20));
    const audited = JSON.stringify(gateway.audit());
    for (const secret of [token, token.split('.')[2] ?? '', run.runToken]) assert.ok(!audited.includes(secret));
  });
});

describe('a gateway that cannot serve', function () {
  this.timeout(60_000);

  async function failure(prepare: (gateway: ServedGateway) => void | Promise<void>, config = {}): Promise<string> {
    const gateway = new ServedGateway({ config });
    try {
      await prepare(gateway);
      return await gateway.start().then(
        () => 'it started',
        (error: Error) => error.message,
      );
    } finally {
      await gateway.close();
    }
  }

  it('says so before it listens: a configuration with problems', async () => {
    const message = await failure(() => {}, { limits: { runs: 0 }, nonsense: 1 });
    assert.match(message, /gateway\.yaml:\d+:\d+: limits\.runs: must be >= 1/);
    assert.match(message, /gateway\.yaml:\d+:\d+: nonsense: unknown key/);
  });

  it('says so before it listens: a policy that is none', async () => {
    assert.match(await failure(({ policyFile }) => writeFileSync(policyFile, 'roles: {}\n')), /policy\.yaml:\d+:\d+:/);
  });

  it('says so before it listens: a port that is in use', async () => {
    const other = new ServedGateway();
    try {
      await other.start();
      const port = Number(new URL(other.url).port);
      assert.match(await failure(() => {}, { listen: { port } }), /listen\.port.*in use/);
    } finally {
      await other.close();
    }
  });

  it('says so before it listens: another gateway has its state', async () => {
    const other = new ServedGateway();
    try {
      await other.start();
      const config = { stateDirectory: join(other.folder, 'state') };
      assert.match(await failure(() => {}, config), /IN_USE|in use|used by/i);
    } finally {
      await other.close();
    }
  });

  it('refuses keys that others may read', async () => {
    const gateway = new ServedGateway();
    try {
      await gateway.start();
      await gateway.stop();
      chmodSync(join(gateway.folder, 'state/keys/run-token.key'), 0o644);
      await assert.rejects(gateway.start(), /others may use it/);
    } finally {
      await gateway.close();
    }
  });
});

function typesOf(records: readonly { readonly type: string }[]): string[] {
  return records.map(({ type }) => type.slice('dev.plumbline.'.length));
}
