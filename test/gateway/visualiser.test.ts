import assert from 'node:assert/strict';
import { HOSTILE, type Visit, VisualiserScenario } from '../support/visualiser-scenario.ts';

interface Tasks {
  readonly [id: string]: { readonly status: string; readonly name: string };
}

describe("luigid's own pages, in a real browser (needs Linux on x64)", function () {
  this.timeout(120_000);
  let scenario: VisualiserScenario;
  before(async function () {
    if (process.platform !== 'linux' || process.arch !== 'x64') return this.skip();
    scenario = await VisualiserScenario.start();
    await scenario.run();
    await addForeignTasks();
  });
  after(() => scenario?.close());

  /** What no worker could bring through the gateway: it was in luigid before, or somebody reached its socket. */
  async function addForeignTasks(): Promise<void> {
    const { luigid } = scenario;
    const worker = 'elsewhere';
    const params = { note: HOSTILE.image };
    const add = (family: string, more: object) =>
      luigid.ask('add_task', { worker, task_id: `${family}_1`, family, params, ...more });
    for (const family of ['finance.Payroll', `sales.${HOSTILE.image}`, `sales.${HOSTILE.quote}`]) {
      await add(family, {});
      await add(family, { status: 'FAILED', expl: HOSTILE.script });
    }
    await add('sales.Linked', { status: 'RUNNING', tracking_url: HOSTILE.link });
  }

  async function failed(): Promise<Tasks> {
    return (await scenario.luigid.ask('task_list', { status: 'FAILED', upstream_status: '' })) as Tasks;
  }

  async function brokenId(): Promise<string> {
    const [id] = Object.keys(await failed()).filter((each) => each.startsWith('sales.Broken'));
    assert.ok(id !== undefined);
    return id;
  }

  /** Everything is shown, and all buttons that only show something are pressed. */
  async function lookAround(visit: Visit): Promise<void> {
    const { page } = visit;
    await visit.tableWith('Broken');
    await visit.tableWith('Linked');
    await visit.call('fetch_error', '#taskTable .showError');
    await page.waitForSelector('#errorModal pre');
    await page.evaluate("for (const link of document.querySelectorAll('#taskTable a[target]')) link.click()");
    await visit.call('get_task_status_message', '#taskTable .statusMessage');
    for (const [method, tab] of [
      ['worker_list', 'workers'],
      ['dep_graph', `graph&taskId=${await brokenId()}&visType=d3`],
    ]) {
      const shown = page.waitForResponse((response) => response.url().includes(`/api/${method}?`));
      await page.goto(`${scenario.url}/luigid/static/visualiser/index.html#tab=${tab}`);
      await page.reload({ waitUntil: 'networkidle0' });
      await shown;
    }
    await page.waitForSelector('#graphPlaceholder svg .node');
  }

  it('shows nothing before the person has signed in at the provider, then the tasks of their roles', async () => {
    const visit = await scenario.visit();
    assert.equal(new URL(visit.page.url()).origin, scenario.provider.url);
    assert.ok(!visit.answered.some((answer) => answer.startsWith('200 /luigid')));
    await visit.logIn('rita');
    assert.equal(visit.page.url().split('#')[0], `${scenario.url}/luigid/static/visualiser/index.html`);
    const table = await visit.tableWith('Broken');
    assert.match(table, /sales\.|Broken/);
    for (const family of ['Orders', 'Report']) assert.ok((await visit.tableWith(family)).includes(family));
    assert.doesNotMatch(table, /Payroll|finance/);
    await visit.page.goto(`${scenario.url}/luigid/static/visualiser/index.html#tab=graph&taskId=${await brokenId()}`);
    await visit.page.reload({ waitUntil: 'networkidle0' });
    await visit.page.waitForSelector('#graphPlaceholder svg circle, #graphPlaceholder svg .node');
    const graph = await visit.text('#graphPlaceholder');
    assert.match(graph, /Broken/);
    assert.match(graph, /Orders/);
    assert.deepEqual(visit.strays(), []);
  });

  it('lets somebody who may read change nothing', async () => {
    const visit = await scenario.signIn('rita');
    await visit.tableWith('Broken');
    assert.equal(await visit.call('forgive_failures', '#taskTable .forgiveFailures'), 403);
    assert.equal(await visit.call('mark_as_done', '#taskTable .markAsDone'), 403);
    await visit.page.waitForSelector('#pause');
    assert.equal(await visit.call('pause', '#pause-form .toggle'), 403);
    assert.ok(Object.hasOwn(await failed(), await brokenId()));
    assert.deepEqual(await scenario.luigid.ask('is_paused'), { paused: false });
    const changes = scenario.gateway.audit().filter(({ type }) => type.includes('luigid.change'));
    assert.deepEqual(changes, []);
  });

  it('tells somebody whom no viewer knows what to ask for', async () => {
    const visit = await scenario.signIn('uwe');
    assert.match(await visit.text('body'), /no rule lets you see this luigid.*viewers/s);
    assert.doesNotMatch(await visit.text('body'), /uwe/);
    assert.ok(visit.answered.includes('403 /luigid/sign-in/callback'));
  });

  it('runs nothing that a task, its error, its message or its link says', async () => {
    const visit = await scenario.signIn('olga');
    await visit.tableWith('Linked');
    const count = (selector: string) =>
      visit.page.evaluate(`document.querySelectorAll('#taskTable ${selector}').length`);
    assert.equal(await count('img[onerror]'), 0, 'what luigid puts in as HTML comes as text');
    assert.equal(await count('a[href^=javascript]'), 0);
    await lookAround(visit);
    const missing = () => [...new Set(visit.answered.filter((answer) => answer.startsWith('404')))];
    assert.deepEqual(missing(), [], 'all files of the page are there');
    // And if some of it did get in: the policy of the page stops it.
    const wanted = visit.page.waitForResponse((response) => response.url().endsWith('/visualiser/x'));
    await visit.page.evaluate(`new Promise((loaded) => {
      document.body.insertAdjacentHTML('beforeend', ${JSON.stringify(HOSTILE.image)});
      document.body.lastElementChild.addEventListener('error', loaded);
    })`);
    await wanted;
    assert.deepEqual(missing(), ['404 /luigid/static/visualiser/x']);
    for (const page of await visit.page.browserContext().pages())
      assert.equal(await page.evaluate('globalThis.pwned'), undefined, page.url());
    assert.deepEqual(visit.strays(), []);
  });

  it('does nothing that another site asks for, and its links lead in without another sign-in', async () => {
    const visit = await scenario.signIn('olga');
    const { page } = visit;
    const id = await brokenId();
    const call = `${scenario.url}/luigid/api/forgive_failures?data=${encodeURIComponent(JSON.stringify({ task_id: id }))}`;
    await page.goto(`${scenario.provider.url}/.well-known/openid-configuration`);
    const before = visit.answered.length;
    const signOut = page.waitForResponse((response) => response.url().endsWith('/luigid/sign-out'));
    await page.evaluate(`new Promise((done) => {
      document.body.innerHTML = '<iframe name="in" hidden></iframe><form target="in" method="post" action="${scenario.url}/luigid/sign-out"></form>';
      document.forms[0].submit();
      const image = new Image();
      image.onerror = image.onload = done;
      image.src = ${JSON.stringify(call)};
    })`);
    await signOut;
    await Promise.all([page.waitForNavigation(), page.evaluate(`location.href = ${JSON.stringify(call)}`)]);
    // The browser brings no session with any of it.
    const answers = new Set(visit.answered.slice(before));
    assert.deepEqual([...answers].sort(), ['400 /luigid/sign-out', '401 /luigid/api/forgive_failures']);
    assert.ok(Object.hasOwn(await failed(), id));
    await page.goto(`${scenario.provider.url}/.well-known/openid-configuration`);
    const onward = visit.answered.length;
    await page.evaluate(`document.body.innerHTML = '<a href="${scenario.url}/luigid/">tasks</a>'`);
    await page.click('a');
    await visit.tableWith('Broken');
    const way = visit.answered.slice(onward).filter((answer) => !/static|api/.test(answer));
    assert.deepEqual(way, ['303 /luigid/', '200 /luigid/sign-in', '303 /luigid/']);
  });

  it('signs out here, and no session is left', async () => {
    const { page } = await scenario.signIn('rita');
    const asked = `${scenario.url}/luigid/api/is_paused?data=%7B%7D`;
    assert.deepEqual(await page.evaluate(`fetch('${asked}').then((answer) => answer.json())`), {
      response: { paused: false },
    });
    await page.goto(`${scenario.url}/luigid/sign-out`);
    await Promise.all([page.waitForNavigation(), page.click('button')]);
    assert.equal(await page.title(), 'Signed out');
    const cookies = await page.browserContext().cookies();
    assert.deepEqual(
      cookies.filter(({ name }) => name.includes('plumbline')),
      [],
    );
    const answer = await page.goto(asked);
    assert.ok(answer !== null);
    assert.deepEqual([answer.status(), (await answer.json()).code], [401, 'sign-in-needed']);
    assert.equal(page.url(), asked, 'a call is never led elsewhere');
  });

  it('an operator forgives a failure, which is on record under their name', async () => {
    const visit = await scenario.signIn('olga');
    await visit.tableWith('Broken');
    const id = await brokenId();
    const button = '#taskTable .forgiveFailures';
    assert.equal(await visit.call('forgive_failures', button), 200);
    assert.ok(!Object.hasOwn(await failed(), id));
    const changes = scenario.gateway.audit().filter(({ type }) => type.includes('luigid.change'));
    assert.deepEqual(
      changes.map(({ type, data }) => [type, data['method'], data['taskId'], data['result']]),
      [
        ['dev.plumbline.luigid.change.intent', 'forgive_failures', id, undefined],
        ['dev.plumbline.luigid.change.outcome', 'forgive_failures', id, 'ok'],
      ],
    );
    for (const { data } of changes)
      assert.deepEqual(data['caller'], { issuer: 'sign-in', iss: scenario.provider.url, subject: 'olga' });
  });

  it('takes a change of the policy at once, also for who is signed in', async () => {
    const visit = await scenario.signIn('rita');
    await visit.tableWith('Orders');
    await scenario.forbid('readers');
    const page = await visit.page.goto(`${scenario.url}/luigid/`);
    assert.equal(page?.status(), 403);
    assert.match(await visit.text('body'), /no rule lets you see this luigid/);
  });
});
