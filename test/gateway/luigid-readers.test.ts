import assert from 'node:assert/strict';
import type { JsonValue } from '#core/json.ts';
import { eventually } from '../support/eventually.ts';
import { LuigidWorld } from '../support/gateway/luigid-world.ts';

describe('people at luigid behind the gateway', function () {
  this.timeout(60_000);
  let world: LuigidWorld;
  let sales: { id: string; token: string };
  let web: { id: string; token: string };
  before(async () => {
    world = await LuigidWorld.start();
    sales = world.worker('sales');
    web = world.worker('web');
    await add(sales, 'sales.Load', { status: 'FAILED', expl: 'it broke', deps: ['sales.Get_1'] });
    await add(sales, 'sales.Get', { status: 'PENDING' });
    await add(web, 'web.Page', { status: 'FAILED', deps: ['web.Base_1'] });
    await add(web, 'web.Base', { status: 'PENDING', resources: { desks: 2 } });
    await world.call(
      'add_worker',
      {
        worker: sales.id,
        info: [
          ['host', 'h1'],
          ['workers', 1],
          ['first_task', 'sales.Load_1'],
        ],
      },
      auth(sales),
    );
    await world.call(
      'add_worker',
      {
        worker: web.id,
        info: [
          ['host', 'h2'],
          ['workers', 1],
          ['first_task', 'web.Page_1'],
        ],
      },
      auth(web),
    );
    // As it was before there was a gateway: a task that needs one of another namespace.
    await world.direct('add_task', {
      task_id: 'sales.Mixed_1',
      family: 'sales.Mixed',
      worker: 'old',
      deps: ['sales.Get_1', 'web.Base_1'],
    });
    await world.direct('update_resource', { resource: 'desks', amount: 5 });
  });
  after(() => world?.close());

  function auth({ token }: { readonly token: string }): Record<string, string> {
    return { authorization: `Bearer ${token}` };
  }

  async function add(
    worker: { id: string; token: string },
    family: string,
    more: Record<string, JsonValue>,
  ): Promise<void> {
    const params = { day: 'monday', key: 'hidden-value', note: 'a, key=b' };
    const task = {
      task_id: `${family}_1`,
      family,
      module: 'm',
      params,
      param_visibilities: { key: 1 },
      worker: worker.id,
      ...more,
    };
    const answer = await world.call('add_task', task, auth(worker));
    assert.equal(answer.status, 200, answer.text);
  }

  async function read(method: string, given: JsonValue, cookie: string): Promise<JsonValue> {
    const answer = await world.look(method, given, cookie);
    assert.equal(answer.status, 200, answer.text);
    return (answer.json() as { response: JsonValue }).response;
  }

  it('see the tasks of their namespaces and not that there are others, whatever they ask', async () => {
    const cookie = world.person('rita', { read: ['sales'] });
    for (const [method, given] of [
      ['task_list', { status: 'FAILED' }],
      ['task_list', {}],
      ['task_list', { status: 'PENDING', upstream_status: '', search: '' }],
      ['task_list', { search: 'Page' }],
      ['task_list', { limit: false }],
      ['task_search', { task_str: '_1' }],
      ['task_search', { task_str: 'web' }],
      ['graph', {}],
      ['dep_graph', { task_id: 'sales.Mixed_1' }],
      ['inverse_dep_graph', { task_id: 'sales.Get_1' }],
      ['worker_list', {}],
      ['worker_list', { include_running: false }],
      ['resource_list', {}],
    ] as const) {
      const answer = JSON.stringify(await read(method, given, cookie));
      assert.doesNotMatch(answer, /web|Page|Base|h2/, `${method} ${JSON.stringify(given)}`);
    }
    const failed = (await read('task_list', { status: 'FAILED' }, cookie)) as object;
    assert.deepEqual(Object.keys(failed), ['sales.Load_1']);
    const workers = (await read('worker_list', {}, cookie)) as { name: string }[];
    assert.deepEqual(
      workers.map(({ name }) => name),
      [sales.id],
    );
  });

  it('who may see all of it see what luigid shows', async () => {
    const cookie = world.person('adam', { read: 'all', operate: 'all', admin: true });
    for (const [method, given] of [
      ['task_list', { status: 'FAILED' }],
      ['dep_graph', { task_id: 'sales.Mixed_1', include_done: true }],
      ['task_search', { task_str: '_1' }],
      ['fetch_error', { task_id: 'web.Page_1' }],
      ['resource_list', {}],
    ] as const)
      assert.deepEqual(await read(method, given, cookie), await world.direct(method, given), method);
  });

  it('learn no number that counts what others have', async () => {
    const cookie = world.person('rita', { read: ['sales'] });
    const count = await read('task_list', { status: 'PENDING', max_shown_tasks: 1 }, cookie);
    const own = (await read('task_list', { status: 'PENDING' }, cookie)) as object;
    assert.deepEqual(count, { num_tasks: Object.keys(own).length });
    const work = await world.call('get_work', { worker: web.id, host: 'h', current_tasks: [] }, auth(web));
    assert.equal((work.json() as { response: { task_id: string } }).response.task_id, 'web.Base_1');
    const resources = (await read('resource_list', {}, world.person('rolf', { read: ['sales'] }))) as {
      num_used: number;
    }[];
    assert.deepEqual(
      resources.map(({ num_used }) => num_used),
      [0],
    );
    const wanda = world.person('wanda', { read: ['web'] });
    // What was read before may be shown for a second.
    await eventually(
      async () => /"num_used":2/.test((await world.look('resource_list', {}, wanda)).text),
      'two desks in use',
    );
  });

  it('are told of no task of another namespace by its name', async () => {
    const cookie = world.person('rita', { read: ['sales'] });
    for (const method of [
      'fetch_error',
      'dep_graph',
      'inverse_dep_graph',
      'get_task_status_message',
      'get_task_progress_percentage',
      'get_running_task_resources',
    ]) {
      const [there, absent] = [
        await world.look(method, { task_id: 'web.Page_1' }, cookie),
        await world.look(method, { task_id: 'web.Nothing_1' }, cookie),
      ];
      assert.deepEqual([there.status, absent.status], [403, 403], method);
      const [one, other] = [there, absent].map((answer) => ({ ...(answer.json() as object), requestId: '' }));
      assert.deepEqual(one, other);
    }
  });

  it('who only look do not see what a task hides; who may change it do', async () => {
    const shown = (await read(
      'fetch_error',
      { task_id: 'sales.Load_1' },
      world.person('rita', { read: ['sales'] }),
    )) as object;
    assert.deepEqual((shown as { taskParams: object }).taskParams, { day: 'monday', note: 'a, key=b' });
    assert.doesNotMatch(JSON.stringify(shown), /hidden-value/);
    const operator = world.person('olga', { read: ['sales'], operate: ['sales'] });
    assert.match(JSON.stringify(await read('fetch_error', { task_id: 'sales.Load_1' }, operator)), /hidden-value/);
  });

  it('change nothing by looking, and only their own where they may', async () => {
    const reader = world.person('rita', { read: ['sales'] });
    const operator = world.person('olga', { read: ['sales', 'web'], operate: ['sales'] });
    world.sentToLuigid();
    for (const [method, given, cookie] of [
      ['forgive_failures', { task_id: 'sales.Load_1' }, reader],
      ['mark_as_done', { task_id: 'sales.Load_1' }, reader],
      ['disable_worker', { worker: sales.id }, reader],
      ['forgive_failures', { task_id: 'web.Page_1' }, operator],
      ['disable_worker', { worker: web.id }, operator],
      ['set_worker_processes', { worker: web.id, n: 4 }, operator],
      ['set_worker_processes', { worker: 'old', n: 4 }, operator],
      ['send_scheduler_message', { worker: sales.id, task: 'web.Page_1', content: 'x' }, operator],
      ['pause', {}, operator],
      ['prune', {}, operator],
      ['update_resource', { resource: 'desks', amount: 9 }, operator],
      ['add_task', { task_id: 'sales.X_1', family: 'sales.X', worker: sales.id }, operator],
      ['get_work', { worker: sales.id }, operator],
    ] as const) {
      const answer = await world.look(method, given, cookie);
      assert.ok(answer.status === 403 || answer.status === 400, `${method}: ${answer.status} ${answer.text}`);
    }
    assert.deepEqual(world.sentToLuigid(), []);
    assert.equal((await world.look('set_worker_processes', { worker: sales.id, n: 2 }, operator)).status, 200);
    const ping = await world.call('ping', { worker: sales.id }, auth(sales));
    assert.deepEqual(ping.json(), { response: { rpc_messages: [{ name: 'set_worker_processes', kwargs: { n: 2 } }] } });
    const admin = world.person('adam', { read: 'all', operate: 'all', admin: true });
    // The page of luigid sends an empty field where there is nothing to send.
    const pause = await world.get('/luigid/api/pause?data=', { cookie: admin, 'x-requested-with': 'XMLHttpRequest' });
    assert.equal(pause.status, 200, pause.text);
    assert.deepEqual(await world.direct('is_paused', {}), { paused: true });
    await world.direct('unpause', {});
  });

  it('change nothing by what another site makes their browser send', async () => {
    const cookie = world.person('adam', { read: 'all', operate: 'all', admin: true });
    const path = `/luigid/api/mark_as_done?data=${encodeURIComponent('{"task_id":"sales.Load_1"}')}`;
    const form = `data=${encodeURIComponent('{"task_id":"sales.Load_1"}')}`;
    const mark = 'XMLHttpRequest';
    world.sentToLuigid();
    for (const headers of [
      { cookie },
      { cookie, 'x-requested-with': 'fetch' },
      { cookie, 'x-requested-with': mark, 'sec-fetch-site': 'cross-site' },
      { cookie, 'x-requested-with': mark, 'sec-fetch-site': 'same-site' },
      { cookie, 'x-requested-with': mark, 'sec-fetch-site': 'none' },
      { cookie, 'x-requested-with': mark, origin: 'https://evil.example' },
      { cookie, 'x-requested-with': mark, origin: 'null' },
      { cookie, 'x-requested-with': mark, origin: `http://127.0.0.1:${world.port}.evil.example` },
      { cookie, x_requested_with: mark },
    ]) {
      const status = (await world.get(path, headers)).status;
      assert.ok(status === 403 || status === 400, JSON.stringify(headers));
      const posted = (await world.post('/luigid/api/mark_as_done', form, headers)).status;
      assert.ok(posted === 403 || posted === 400, JSON.stringify(headers));
    }
    assert.deepEqual(world.sentToLuigid(), []);
    const same = {
      cookie,
      'x-requested-with': mark,
      'sec-fetch-site': 'same-origin',
      origin: world.url,
      host: `127.0.0.1:${world.port}`,
    };
    assert.equal((await world.get(path, same)).status, 200);
  });

  it('are nobody with a session and a worker’s credential at once, and without either', async () => {
    const cookie = world.person('rita', { read: ['sales'] });
    assert.equal((await world.call('ping', { worker: sales.id }, { ...auth(sales), cookie })).status, 400);
    assert.equal((await world.look('task_list', {}, '')).status, 401);
    assert.equal((await world.look('task_list', {}, 'plumbline-test=stranger')).status, 403);
    for (const credential of [
      'Bearer plw_x',
      'Basic eDp5',
      'Basic !',
      'Digest x',
      'Bearer',
      `Bearer ${sales.token}x`,
      `bearer plw_${sales.id}.`,
    ])
      assert.equal(
        (await world.call('ping', { worker: sales.id }, { authorization: credential })).status,
        401,
        credential,
      );
    const bad = world.audited.filter(({ type }) => type === 'dev.plumbline.token.refused');
    assert.equal(bad.length, 1, 'one record for equal ones of a minute');
    assert.doesNotMatch(JSON.stringify(world.audited), /plw_|pls_/);
  });

  it('cost luigid what one costs, a thousand at once', async () => {
    const cookies = Array.from({ length: 50 }, (_, i) =>
      world.person(`w${i}`, { read: i % 2 === 0 ? ['sales'] : ['web'] }),
    );
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    world.sentToLuigid();
    const asked = ['PENDING', 'FAILED', 'DONE', 'RUNNING'];
    const answers = await Promise.all(
      Array.from({ length: 1_000 }, (_, i) =>
        world.look('task_list', { status: asked[i % 4] ?? '', search: '' }, cookies[i % 50] ?? ''),
      ),
    );
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
    const reads = world.sentToLuigid();
    // Each question once; once more for those that came when the first answer was a second old.
    assert.ok(reads.length >= 4 && reads.length <= 12, `${reads.length}`);
  });

  it('without a credential call only where a binding reports, and never as a worker that lives', async () => {
    const policy = 'a'.repeat(64);
    const permission = { read: ['old'], operate: ['old'], admin: false, rules: ['open'], policy };
    world.anonymous = { permission, binding: 'open' };
    try {
      const before = world.audited.length;
      const add = { task_id: 'old.Task_1', family: 'old.Task', worker: 'Worker(salt=1, host=h)', status: 'PENDING' };
      for (let i = 0; i < 5; i++) assert.equal((await world.call('add_task', add, {})).status, 200);
      const records = world.audited.slice(before);
      assert.equal(records.length, 1);
      const { reason, allowed, method, namespace, binding, mode } = records[0]?.data ?? {};
      assert.deepEqual(
        { reason, allowed, method, namespace, binding, mode },
        {
          reason: 'no-credential',
          allowed: true,
          method: 'add_task',
          namespace: 'old',
          binding: 'open',
          mode: 'report',
        },
      );
      for (const worker of [sales.id, `${sales.id}:x`])
        assert.equal((await world.call('add_task', { ...add, worker }, {})).status, 403);
      assert.equal((await world.call('get_work', { worker: 'w', assistant: true }, {})).status, 403);
      // What is enforced is none of theirs, whatever the binding of others reports.
      for (const more of [{ task_id: 'web.X_1', family: 'web.X' }, { deps: ['web.Base_1'] }])
        assert.equal((await world.call('add_task', { ...add, ...more }, {})).status, 403);
      assert.doesNotMatch((await world.look('task_list', {}, '')).text, /web/);
      assert.equal((await world.look('pause', {}, '')).status, 403);
    } finally {
      world.anonymous = undefined;
    }
    assert.equal((await world.call('ping', { worker: 'w' }, {})).status, 401);
  });

  it('of a binding that reports pass as workers, and what would be refused is on record', async () => {
    const worker = world.worker('sales', 'report');
    const before = world.audited.length;
    const task = { task_id: 'web.New_1', family: 'web.New', worker: worker.id, status: 'PENDING' };
    for (let i = 0; i < 3; i++) assert.equal((await world.call('add_task', task, auth(worker))).status, 200);
    const work = await world.call('get_work', { worker: worker.id, current_tasks: [] }, auth(worker));
    assert.equal((work.json() as { response: { task_id: string } }).response.task_id, 'web.New_1');
    const records = world.audited.slice(before).map(({ data }) => [data['reason'], data['namespace'], data['allowed']]);
    assert.deepEqual(records, [
      ['namespace', 'web', true],
      ['foreign-work', 'web', true],
    ]);
    assert.equal((await world.call('ping', { worker: web.id }, auth(worker))).status, 403);
  });

  it('get no work of another namespace, even if luigid would give it', async () => {
    const worker = world.worker('sales');
    await world.direct('add_task', {
      task_id: 'web.Trap_1',
      family: 'web.Trap',
      module: 'os',
      worker: worker.id,
      status: 'PENDING',
    });
    const work = await world.call('get_work', { worker: worker.id, current_tasks: [] }, auth(worker));
    assert.equal(work.status, 403);
    assert.doesNotMatch(work.text, /Trap|os"/);
  });

  it('read luigid’s own pages, with a policy that lets nothing else run', async () => {
    const cookie = world.person('rita', { read: ['sales'] });
    const first = await world.get('/luigid/', { cookie });
    assert.deepEqual([first.status, first.headers['location']], [303, 'static/visualiser/index.html']);
    const page = await world.get('/luigid/static/visualiser/index.html', { cookie });
    assert.equal(page.status, 200);
    const policy = String(page.headers['content-security-policy']);
    assert.match(policy, /default-src 'none'; script-src 'self' 'sha256-[A-Za-z0-9+/=]{44}';/);
    assert.doesNotMatch(policy, /script-src[^;]*unsafe/);
    for (const [, path = ''] of page.text.matchAll(/(?:src|href)="((?:js|css|lib)\/[^"]+)"/g)) {
      const file = await world.get(`/luigid/static/visualiser/${path}`, { cookie });
      assert.equal(file.status, 200, path);
      assert.equal(file.headers['x-content-type-options'], 'nosniff');
    }
    const { etag = '' } = page.headers;
    const again = await world.get('/luigid/static/visualiser/index.html', { cookie, 'if-none-match': String(etag) });
    assert.equal(again.status, 304);
    for (const path of [
      '/luigid/static/visualiser/none.js',
      '/luigid/static/../server.py',
      '/luigid/static/visualiser/.hidden.js',
      '/luigid/static/visualiser/index.html?x',
    ])
      assert.ok([400, 404].includes((await world.get(path, { cookie })).status), path);
    assert.equal((await world.get('/luigid/', {})).status, 401);
    const browser = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };
    const away = await world.get('/luigid/static/visualiser/index.html', browser);
    assert.deepEqual([away.status, away.headers['location']], [303, '/luigid/sign-in']);
  });
});
