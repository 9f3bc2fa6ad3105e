import assert from 'node:assert/strict';
import type { LuigidPermission } from '#gateway/policy/luigid-access.ts';
import { LuigidWorld } from '../support/gateway/luigid-world.ts';

const POLICY = 'a'.repeat(64);

function auth({ token }: { readonly token: string }): Record<string, string> {
  return { authorization: `Bearer ${token}` };
}

describe('an attacker at the gateway of a luigid', function () {
  this.timeout(120_000);
  let world: LuigidWorld;
  before(async () => {
    world = await LuigidWorld.start();
  });
  after(() => world?.close());
  afterEach(() => {
    world.anonymous = undefined;
  });

  function open(namespaces: readonly string[]): void {
    const permission: LuigidPermission = {
      read: namespaces,
      operate: namespaces,
      admin: false,
      rules: ['open'],
      policy: POLICY,
    };
    world.anonymous = { permission, binding: 'open' };
  }

  it('without a credential changes nothing that only people change', async () => {
    open(['old']);
    await world.direct('add_task', { task_id: 'old.T_1', family: 'old.T', worker: 'w', status: 'FAILED' });
    const mark = { 'x-requested-with': 'XMLHttpRequest' };
    for (const method of ['mark_as_done', 'forgive_failures', 're_enable_task'])
      assert.equal((await world.call(method, { task_id: 'old.T_1' }, mark)).status, 403, method);
    const graph = (await world.direct('dep_graph', { task_id: 'old.T_1' })) as Record<string, { status: string }>;
    assert.equal(graph['old.T_1']?.status, 'FAILED');
  });

  it('without a credential is on record when it only reads: enforcement would refuse that too', async () => {
    open(['old']);
    const before = world.audited.length;
    for (let i = 0; i < 3; i++) assert.equal((await world.look('task_list', {}, '')).status, 200);
    const records = world.audited.slice(before).map(({ data }) => [data['method'], data['reason'], data['allowed']]);
    assert.deepEqual(records, [['task_list', 'no-credential', true]]);
  });

  it('without a credential reaches no batch of a namespace that is enforced', async () => {
    open(['old']);
    const worker = world.worker('web');
    const batch = await batchOf(worker, 'web');
    const own = { task_id: 'old.Thief_1', family: 'old.Thief', worker: 'thief' };
    await world.call('add_task', { ...own, status: 'PENDING' }, {});
    const stolen = await world.call('add_task', { ...own, status: 'PENDING', batch_id: batch, expl: 'pwned' }, {});
    assert.equal(stolen.status, 403);
    const { error } = (await world.direct('fetch_error', { task_id: 'web.B_1' })) as { error: string | null };
    assert.equal(error, null);
  });

  it('names no first task of somebody else by saying it twice', async () => {
    const worker = world.worker('sales');
    const info = [
      ['first_task', 'sales.T_1'],
      ['first_task', 'web.Secret_1'],
    ];
    assert.equal((await world.call('add_worker', { worker: worker.id, info }, auth(worker))).status, 403);
  });

  it('seeks no more words than luigid can afford: it writes down every task for each', async () => {
    const cookie = world.person('reader', { read: ['sales'] });
    world.sentToLuigid();
    for (const separator of [' ', '\u001c', '\u2003']) {
      const search = Array.from({ length: 9 }, () => 'a').join(separator);
      assert.equal((await world.look('task_list', { search }, cookie)).status, 400);
      assert.equal((await world.look('task_search', { task_str: search }, cookie)).status, 400);
    }
    assert.equal((await world.look('task_list', { search: 'a'.repeat(2_000) }, cookie)).status, 400);
    assert.deepEqual(world.sentToLuigid(), []);
    assert.equal((await world.look('task_list', { search: ' Root  date=2026-11-21 ' }, cookie)).status, 200);
  });

  it('keeps nobody from calling with bodies that never end', async () => {
    const worker = world.worker('sales');
    const other = world.worker('web');
    const { request } = await import('node:http');
    const slow = Array.from({ length: 8 }, () => {
      const sent = request({
        host: '127.0.0.1',
        port: world.port,
        path: '/luigid/api/add_task',
        method: 'POST',
        agent: false,
        headers: {
          ...auth(worker),
          'content-type': 'application/x-www-form-urlencoded',
          'content-length': 16 * 1_048_576,
        },
      });
      sent.on('error', () => undefined).on('response', (r) => r.resume());
      sent.write(Buffer.alloc(16 * 1_048_576 - 1, 'a'));
      return sent;
    });
    await new Promise((resolve) => setTimeout(resolve, 800));
    const answer = await world.call('ping', { worker: other.id }, auth(other));
    for (const one of slow) one.destroy();
    assert.equal(answer.status, 200, answer.text);
  });

  it('tells luigid of no more workers than it can forget', async () => {
    const worker = world.worker('sales');
    const [first, ...more] = Array.from({ length: 300 }, (_, i) => `${worker.id}:${i}`);
    const statuses: number[] = [];
    for (const name of [first, ...more])
      statuses.push((await world.call('ping', { worker: name ?? '' }, auth(worker))).status);
    assert.deepEqual([statuses.indexOf(503), new Set(statuses.slice(256)).size], [256, 1]);
    assert.equal((await world.call('ping', { worker: first ?? '' }, auth(worker))).status, 200);
    assert.equal((await world.call('ping', { worker: worker.id }, auth(worker))).status, 200);
    const other = world.worker('web');
    assert.equal((await world.call('ping', { worker: `${other.id}:x` }, auth(other))).status, 200);
  });

  it('puts nothing into luigid’s pages but text, whatever a worker calls its tasks and resources', async () => {
    const { id, token } = world.worker('sales');
    const html = '<meta/http-equiv=refresh/content="0;url=//evil.example">';
    const task = { task_id: `sales.${html}_1`, family: `sales.${html}`, worker: id, resources: { [html]: 0 } };
    const added = { ...task, status: 'PENDING', params: { n: 5, list: [html] } };
    assert.equal((await world.call('add_task', added, auth({ token }))).status, 200);
    const work = { worker: id, current_tasks: [] };
    assert.equal((await world.call('get_work', work, auth({ token }))).status, 200);
    const cookie = world.person('rita', { read: ['sales'], operate: ['sales'] });
    const graph = { task_id: task.task_id };
    for (const [method, given] of [
      ['task_list', { status: 'RUNNING' }],
      ['task_search', { task_str: 'meta' }],
      ['dep_graph', graph],
      ['worker_list', {}],
    ] as const) {
      const { status, text } = await world.look(method, given, cookie);
      assert.equal(status, 200);
      const shown = found(JSON.parse(text), task.task_id);
      assert.ok(shown !== undefined, method);
      const { name, resources, resources_running: running, params } = shown;
      assert.doesNotMatch(JSON.stringify([name, resources, running]), /</);
      // luigid's pages stop at what is no text.
      assert.deepEqual(params, { n: '5', list: JSON.stringify([html]) });
    }
    const answer = { task_id: task.task_id, message_id: 'm', response: [html, { a: html }] };
    await world.call('add_scheduler_message_response', answer, auth({ token }));
    const said = await world.look('get_scheduler_message_response', { ...graph, message_id: 'm' }, cookie);
    const { response } = said.json() as { response: { response: string } };
    assert.deepEqual([typeof response.response, response.response.includes('<')], ['string', false]);
  });

  it('hides nobody’s calls behind many of its own', async () => {
    const loud = world.worker('sales', 'report');
    const quiet = world.worker('sales', 'report');
    const before = world.audited.length;
    for (let i = 0; i < 600; i++) await world.call('get_task_status_message', { task_id: `n${i}.T_1` }, auth(loud));
    await world.call('get_task_status_message', { task_id: 'web.T_1' }, auth(quiet));
    const records = world.audited.slice(before).map(({ data }) => [data['worker'], data['reason'], data['namespace']]);
    assert.deepEqual(records.at(-1), [quiet.id, 'namespace', 'web']);
    const ofLoud = records.filter(([worker]) => worker === loud.id);
    assert.deepEqual(ofLoud.at(-1), [loud.id, 'others', undefined]);
    assert.ok(ofLoud.length < 100, `${ofLoud.length}`);
  });

  it('that makes luigid slow stands in a line of its own', async () => {
    const slow = world.worker('sales');
    const other = world.worker('web');
    const task = { task_id: 'sales.Wide_1', family: 'sales.Wide', worker: slow.id };
    const deps = Array.from({ length: 10_000 }, (_, i) => `sales.D_${i}`);
    assert.equal((await world.call('add_task', { ...task, deps }, auth(slow))).status, 200);
    // luigid looks at each requirement again, however small the call is.
    let answered = 0;
    const calls = Array.from({ length: 60 }, () =>
      world.call('add_task', task, auth(slow)).then(({ status }) => {
        answered += 1;
        return status;
      }),
    );
    while (answered === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    assert.equal((await world.call('ping', { worker: other.id }, auth(other))).status, 200);
    assert.ok(answered <= 30, `${answered} of them came first`);
    assert.deepEqual([...new Set(await Promise.all(calls))], [200]);
  });

  it('that sends more than luigid takes keeps only its own calls waiting, and not too many', async () => {
    const loud = world.worker('sales');
    const other = world.worker('web');
    const task = { task_id: 'sales.Loud_1', family: 'sales.Loud', worker: loud.id, expl: 'x'.repeat(1_500_000) };
    const large = Array.from({ length: 40 }, () => world.call('add_task', task, auth(loud)));
    assert.equal((await world.call('ping', { worker: other.id }, auth(other))).status, 200);
    const statuses = (await Promise.all(large)).map(({ status }) => status);
    assert.deepEqual([...new Set(statuses)].sort(), [200, 503]);
  });

  it('is no page whose name was turned to this gateway, in the browser of somebody who needs no credential', async () => {
    open(['old']);
    const add = { task_id: 'old.New_1', family: 'old.New', worker: 'w', status: 'PENDING' };
    const evil = { host: `evil.example:${world.port}` };
    const origin = `http://evil.example:${world.port}`;
    assert.equal((await world.call('add_task', add, { ...evil, origin })).status, 403);
    assert.equal((await world.look('task_list', {}, '', evil)).status, 403);
    assert.equal((await world.look('task_list', {}, '')).status, 200);
    // Workers know it by names that the gateway need not know.
    assert.equal((await world.call('add_task', add, { host: 'luigid.internal:8082' })).status, 200);
  });

  it('asks luigid slowly for files that it has not, and keeps those that it has', async () => {
    const cookie = world.person('rita', { read: ['sales'] });
    const index = '/luigid/static/visualiser/index.html';
    assert.equal((await world.get(index, { cookie })).status, 200);
    world.sentToLuigid();
    const began = performance.now();
    const made = Array.from({ length: 400 }, (_, i) => world.get(`/luigid/static/visualiser/x${i}.js`, { cookie }));
    const first = await Promise.race(made);
    assert.ok([404, 503].includes(first.status));
    assert.equal((await world.get(index, { cookie })).status, 200);
    const statuses = (await Promise.all(made)).map(({ status }) => status);
    const asked = world.sentToLuigid();
    assert.deepEqual([...new Set(statuses)].sort(), [404, 503]);
    assert.ok(asked.length <= 2 + 64 + (performance.now() - began) / 50, `${asked.length}`);
    assert.deepEqual(
      asked.filter(({ line }) => line.includes('index.html')),
      [],
    );
  });

  it('who may change tasks fills no record with it', async () => {
    const cookie = world.person('olga', { read: ['sales'], operate: ['sales'] });
    const other = world.person('otto', { read: ['sales'], operate: ['sales'] });
    const before = world.audited.length;
    const statuses: number[] = [];
    // Two minutes may be touched.
    for (let i = 0; i < 650; i++)
      statuses.push((await world.look('forgive_failures', { task_id: 'sales.Of_1' }, cookie)).status);
    assert.deepEqual([...new Set(statuses)].sort(), [200, 429]);
    assert.equal((await world.look('forgive_failures', { task_id: 'sales.Of_1' }, other)).status, 200);
    assert.ok(world.audited.length - before <= 2 * 601);
  });

  async function batchOf(worker: { readonly id: string; readonly token: string }, role: string): Promise<string> {
    await world.call(
      'add_task_batcher',
      { worker: worker.id, task_family: `${role}.B`, batched_args: ['n'] },
      auth(worker),
    );
    for (const n of ['1', '2'])
      await world.call(
        'add_task',
        {
          task_id: `${role}.B_${n}`,
          family: `${role}.B`,
          params: { n },
          worker: worker.id,
          status: 'PENDING',
          batchable: true,
        },
        auth(worker),
      );
    const work = (await world.call('get_work', { worker: worker.id, current_tasks: [] }, auth(worker))).json() as {
      response: { batch_id: string };
    };
    const sealed = work.response.batch_id;
    // luigid's own, which anybody can compute who knows the names.
    return sealed.slice(0, sealed.lastIndexOf('.'));
  }
});

/** What an answer has under a name, wherever it is. */
function found(value: unknown, name: string): Record<string, unknown> | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const own = (value as Record<string, unknown>)[name];
  if (own !== undefined) return own as Record<string, unknown>;
  for (const one of Object.values(value)) {
    const deeper = found(one, name);
    if (deeper !== undefined) return deeper;
  }
  return undefined;
}
