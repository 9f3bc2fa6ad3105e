import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { PlumblineError } from '#core/errors.ts';
import { pythonOf } from '../../scripts/python-environments.mjs';
import { ROOT } from '../../scripts/repository.ts';
import { LuigidWorld } from '../support/gateway/luigid-world.ts';
import { startLuigid } from '../support/luigid.ts';

const TASKS = `
import os
import luigi

OUT = os.environ["OUT"]

class Step(luigi.Task):
    task_namespace = "sales"
    tag = luigi.Parameter()
    n = luigi.IntParameter()
    def output(self):
        return luigi.LocalTarget(os.path.join(OUT, "%s-%d" % (type(self).__name__, self.n)))
    def run(self):
        self.set_status_message("half of <b>%d</b>" % self.n)
        self.set_progress_percentage(50)
        self.set_tracking_url("https://example.org/%d" % self.n)
        with self.output().open("w") as out:
            out.write("%s %d" % (type(self).__name__, self.n))

class Leaf(Step):
    resources = {"desks": 1}

class Batched(Step):
    n = luigi.IntParameter(batch_method=max)
    def output(self):
        return luigi.LocalTarget(os.path.join(OUT, "Batched-%d" % self.n))
    def run(self):
        # Everything up to the largest is done by it.
        for i in range(self.n + 1):
            with luigi.LocalTarget(os.path.join(OUT, "Batched-%d" % i)).open("w") as out:
                out.write("batched")

class Dynamic(Step):
    def run(self):
        yield [Leaf(tag=self.tag, n=100 + i) for i in range(3)]
        super().run()

class Root(Step):
    def requires(self):
        return [Leaf(tag=self.tag, n=i) for i in range(self.n)] + [Batched(tag=self.tag, n=i) for i in range(3)] + [Dynamic(tag=self.tag, n=1)]
`;

interface Ended {
  readonly status: number | null;
  readonly output: string;
  readonly files: Readonly<Record<string, string>>;
}

describe('stock Luigi workers behind the gateway', function () {
  this.timeout(120_000);
  let folder: string;
  let world: LuigidWorld;
  let tags = 0;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'plumbline-stock-'));
    writeFileSync(join(folder, 'stock_tasks.py'), TASKS);
    world = await LuigidWorld.start();
  });
  after(async () => {
    await world?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** `luigi` as a user starts it, with the URL and the worker's id and nothing else of ours. */
  async function luigi(python: string, url: string, more: readonly string[] = [], environment = {}): Promise<Ended> {
    const out = mkdtempSync(join(folder, 'out-'));
    // Other tasks each time: luigid knows for a while what was done.
    tags += 1;
    const root = ['sales.Root', '--n', '4', '--tag', `t${tags}`];
    const args = ['-m', 'luigi', '--module', 'stock_tasks', ...root, '--scheduler-url', url, ...more];
    const env = {
      PATH: process.env['PATH'],
      OUT: out,
      PYTHONPATH: folder,
      LUIGI_CONFIG_PATH: quickFailure(folder),
      ...environment,
    };
    const child = spawn(python, [...args, '--no-lock', '--worker-wait-jitter', '0'], {
      cwd: folder,
      env,
      stdio: 'pipe',
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => (output += part));
    const [status] = (await once(child, 'close')) as [number | null];
    const names = readdirSync(out).sort();
    return {
      status,
      output,
      files: Object.fromEntries(names.map((name) => [name, readFileSync(join(out, name), 'utf8')])),
    };
  }

  /** The summary, without times and ids. */
  function summaryOf({ output }: Ended): string {
    const summary = /===== Luigi Execution Summary =====([\s\S]*?)===== Luigi/.exec(output)?.[1]?.trim() ?? output;
    return summary.replaceAll(/tag=t\d+/g, 'tag=t');
  }

  for (const [version, name] of [
    ['3.8', 'luigi'],
    ['3.6', 'luigi-oldest'],
  ] as const) {
    it(`of version ${version} run a graph as they do at luigid itself`, async () => {
      const python = pythonOf(ROOT, name);
      const direct = await startLuigid(mkdtempSync(join(folder, 'direct-')));
      const plain = await luigi(python, direct.url).finally(() => direct.close());
      const { id } = world.worker('sales');
      world.sentToLuigid();
      const ours = await luigi(python, world.schedulerUrl(id), ['--worker-id', id]);
      assert.equal(plain.status, 0, plain.output);
      assert.equal(ours.status, 0, ours.output);
      assert.deepEqual(ours.files, plain.files);
      assert.equal(summaryOf(ours), summaryOf(plain));
      assert.match(summaryOf(ours), /This progress looks :\)/);
      const seen = world.sentToLuigid();
      assert.ok(seen.length > 20);
      for (const { line, headers, body } of seen) {
        assert.match(line, /^POST \/api\/[a-z_]+ HTTP\/1\.1$/);
        assert.doesNotMatch(`${headers.join()}${body}`, /authorization|pls_|plw_|cookie/i);
      }
      const methods = new Set(seen.map(({ line }) => line.split(/[/ ]/)[3]));
      for (const method of [
        'add_task',
        'add_worker',
        'get_work',
        'add_task_batcher',
        'set_task_status_message',
        'set_task_progress_percentage',
      ])
        assert.ok(methods.has(method), `${method}: ${[...methods]}`);
    });
  }

  it('reach it by the requests library too, which follows its own rules', async () => {
    const python = pythonOf(ROOT, 'luigi');
    const library = join(dirname(python), '..', 'lib');
    const found = requestsPath();
    const { id } = world.worker('sales');
    const ended = await luigi(python, world.schedulerUrl(id), ['--worker-id', id], {
      PYTHONPATH: `${folder}:${found}`,
    });
    assert.equal(ended.status, 0, `${library}\n${ended.output}`);
    assert.match(summaryOf(ended), /This progress looks :\)/);
  });

  it('with tasks of another namespace get nothing into luigid', async () => {
    const python = pythonOf(ROOT, 'luigi');
    const { id } = world.worker('web');
    const ended = await luigi(python, world.schedulerUrl(id), ['--worker-id', id]);
    assert.notEqual(ended.status, 0, ended.output);
    assert.deepEqual(ended.files, {});
    assert.ok(world.audited.some(({ data }) => data['reason'] === 'namespace' && data['namespace'] === 'sales'));
  });

  it('whose run has ended are turned away, and their credential is nobody else’s', async () => {
    const one = world.worker('sales');
    const other = world.worker('sales');
    const basic = (id: string, of: string) =>
      `Basic ${Buffer.from(`${id}:${world.tokens.schedulerPassword(of)}`).toString('base64')}`;
    assert.equal((await world.call('ping', { worker: one.id }, { authorization: basic(one.id, one.id) })).status, 200);
    assert.equal(
      (await world.call('ping', { worker: one.id }, { authorization: basic(one.id, other.id) })).status,
      401,
    );
    const foreign = await world.call('ping', { worker: other.id }, { authorization: basic(one.id, one.id) });
    assert.equal(foreign.status, 403);
    world.workers.delete(one.id);
    const ended = await world.call('ping', { worker: one.id }, { authorization: basic(one.id, one.id) });
    assert.equal(ended.status, 401);
    assert.equal((ended.json() as { reason: string }).reason, 'ended');
  });

  it('whose run ends while they send are turned away all the same', async () => {
    const { id, token } = world.worker('sales');
    const body = `data=${encodeURIComponent(JSON.stringify({ worker: id }))}`;
    const form = 'Content-Type: application/x-www-form-urlencoded\r\nConnection: close';
    const head = `POST /luigid/api/ping HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer ${token}\r\n${form}\r\nContent-Length: ${body.length}\r\n\r\n`;
    const socket = connect({ port: world.port, host: '127.0.0.1' });
    let answer = '';
    socket.on('data', (part) => {
      answer += String(part);
    });
    const closed = once(socket, 'close');
    socket.write(head + body.slice(0, 10));
    await new Promise((resolve) => setTimeout(resolve, 300));
    world.sentToLuigid();
    world.workers.delete(id);
    socket.write(body.slice(10));
    await closed;
    assert.match(answer, /^HTTP\/1\.1 401 [\s\S]*"reason":"ended"/);
    assert.deepEqual(world.sentToLuigid(), []);
  });

  it('hear of luigid’s end as of a bad gateway, on a connection that stays', async () => {
    const { id, token } = world.worker('sales');
    const headers = { authorization: `Bearer ${token}` };
    const body = `data=${encodeURIComponent(JSON.stringify({ worker: id }))}`;
    const form = 'Content-Type: application/x-www-form-urlencoded';
    const ping = `POST /luigid/api/ping HTTP/1.1\r\nHost: g\r\nAuthorization: ${headers.authorization}\r\n${form}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const socket = connect({ port: world.port, host: '127.0.0.1' });
    let answers = '';
    socket.on('data', (part) => {
      answers += String(part);
    });
    const answered = async (count: number) => {
      socket.write(ping);
      while ((answers.match(/"requestId":"[^"]+"/g) ?? []).length < count) await once(socket, 'data');
    };
    await world.stopLuigid();
    try {
      await answered(1);
      await answered(2);
    } finally {
      socket.destroy();
      await world.startLuigid();
    }
    assert.deepEqual(answers.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 502', 'HTTP/1.1 502']);
    assert.match(answers, /"code":"luigid-unavailable"/);
    assert.equal((await world.call('ping', { worker: id }, headers)).status, 200);
  });

  it('take a task with fifty thousand requirements', async () => {
    const { id, token } = world.worker('sales');
    const deps = Array.from({ length: 50_000 }, (_, i) => `sales.Leaf_${i}_x_y_0123456789`);
    const task = { task_id: 'sales.Root_1_0123456789', family: 'sales.Root', worker: id, deps, status: 'PENDING' };
    const answer = await world.call('add_task', task, { authorization: `Bearer ${token}` });
    assert.deepEqual([answer.status, answer.json()], [200, { response: null }], answer.text);
    const counts = await world.direct('task_list', { status: 'UNKNOWN', limit: true, max_shown_tasks: 1 });
    assert.ok((counts as { num_tasks: number }).num_tasks >= 50_000);
  });

  it('change nothing when the record of a person’s change cannot be written', async () => {
    const { id, token } = world.worker('sales');
    const task = { task_id: 'sales.Broken_1', family: 'sales.Broken', worker: id };
    await world.call('add_task', { ...task, status: 'FAILED', expl: 'x' }, { authorization: `Bearer ${token}` });
    const cookie = world.person('olga', { read: ['sales'], operate: ['sales'] });
    world.faults.audit = new PlumblineError('ERR_AUDIT_UNAVAILABLE', 'no disk');
    try {
      assert.equal((await world.look('forgive_failures', { task_id: 'sales.Broken_1' }, cookie)).status, 503);
    } finally {
      delete world.faults.audit;
    }
    const failed = await world.direct('task_list', { status: 'FAILED' });
    assert.ok(Object.hasOwn(failed as object, 'sales.Broken_1'));
    const forgiven = await world.look('forgive_failures', { task_id: 'sales.Broken_1' }, cookie);
    assert.deepEqual(forgiven.json(), { response: { task_id: 'sales.Broken_1', status: 'PENDING' } });
    const types = world.audited.filter(({ data }) => data['method'] === 'forgive_failures').map(({ type }) => type);
    assert.deepEqual(types, ['dev.plumbline.luigid.change.intent', 'dev.plumbline.luigid.change.outcome']);
  });
});

/** A folder that has the library `requests`, in the environment of the clouds' libraries. */
function requestsPath(): string {
  const lib = join(dirname(pythonOf(ROOT, 'clouds')), '..', 'lib');
  const [version = ''] = readdirSync(lib);
  return join(lib, version, 'site-packages');
}

function quickFailure(folder: string): string {
  const path = join(folder, 'quick.cfg');
  writeFileSync(
    path,
    '[core]\nrpc_retry_attempts=1\nrpc_retry_wait=0\n[retcode]\nunhandled_exception=4\nscheduling_error=5\ntask_failed=6\n',
  );
  return path;
}
