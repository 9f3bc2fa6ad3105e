import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { LuigidRollout, type StockLuigi } from '../support/luigid-rollout.ts';
import { signed } from '../support/test-issuer.ts';

const PATIENT = ['patience', 'gateway'];
const REGISTERED = ['patience', 'credential'];

/** docs/gateway/luigid-rollout.md, step by step: its units, configurations, policies and commands, with real luigid and stock Luigi. */
describe('the way from an open luigid to an enforced one', function () {
  this.timeout(120_000);
  const rollout = new LuigidRollout();
  const { gateway } = rollout;
  /** Workers that wait in the middle of their graph while a step is made. */
  const held: { direct?: StockLuigi; moved?: StockLuigi; anonymous?: StockLuigi; registered?: StockLuigi } = {};

  before(() => rollout.prepare());
  after(() => rollout.close());

  async function hold(day: string, labels: readonly string[], registered = false): Promise<StockLuigi> {
    if (registered) newTokens();
    const worker = rollout.luigi(day, labels, { held: true, registered });
    await Promise.race([rollout.held(worker), endedEarly(worker)]);
    return worker;
  }

  async function endedEarly(worker: StockLuigi): Promise<never> {
    const status = await worker.ended();
    throw new Error(`worker ${worker.day} ended with ${status} before it waited\n${worker.log()}`);
  }

  async function finishes(worker: StockLuigi | undefined): Promise<void> {
    assert.ok(worker);
    rollout.release(worker);
    assert.equal(await worker.ended(), 0, worker.log());
    assert.equal(rollout.hasDone(worker.day), true, worker.log());
  }

  function gitlabToken(): string {
    const now = Math.floor(Date.now() / 1_000);
    const claims = {
      iss: 'https://gitlab.example.com',
      aud: 'gateway',
      sub: 'project_path:sales/etl:ref_type:branch:ref:main',
      namespace_id: '7',
      project_id: '57382910',
      pipeline_id: '4711',
      ref: 'main',
      ref_type: 'branch',
      ref_protected: 'true',
      ...{ iat: now, nbf: now, exp: now + 300, jti: randomUUID() },
    };
    return signed({ alg: 'ES256', kid: gateway.key.kid, typ: 'JWT' }, claims, gateway.key);
  }

  /** What GitLab gives to a job: each good for one request. */
  function newTokens(): void {
    for (const file of [rollout.tokenFile, rollout.endTokenFile]) writeFileSync(file, gitlabToken(), { mode: 0o600 });
  }

  async function wouldRefuse(from: Date): Promise<{ status: number | null; output: string }> {
    return rollout.sh('empty', (text) => text.replace(/"\$\(.*\)"/, from.toISOString()));
  }

  it('0: luigid is open, and workers go there directly', async () => {
    await rollout.restartLuigid();
    held.direct = await hold('2026-11-01', ['patience', 'direct']);
  });

  it('1: the gateway stands in front; workers of both ways work, and the report names who came without a credential', async () => {
    rollout.configure('url');
    rollout.decree('report');
    const { status, output } = await rollout.sh('gateway');
    assert.equal(status, 0, output);
    await finishes(rollout.luigi('2026-11-02', PATIENT));
    await finishes(held.direct);
    const report = await rollout.sh('report');
    assert.equal(report.status, 2, report.output);
    assert.match(report.output, /luigid +cron-hosts +\S+@\S+ 127\.0\.0\.1 +add_task +sales +no-credential/);
    held.moved = await hold('2026-11-03', PATIENT);
  });

  it('2: luigid moves to a socket under workers that go on, and forgets nothing', async () => {
    rollout.install('socket');
    rollout.configure('socket');
    const meets = rollout.luigi('2026-11-04', PATIENT);
    const { status, output } = await rollout.sh('socket');
    assert.equal(status, 0, output);
    const closed = await rollout.sh('closed');
    assert.equal(closed.status, 0, closed.output);
    assert.match(closed.output, /sales\.Nightly_2026_11_02_\w+/, 'a task of before the move');
    await finishes(meets);
    await finishes(held.moved);
  });

  it('3: workers get credentials one by one; the list holds only those without', async () => {
    rollout.decree('credential');
    await rollout.inForce();
    newTokens();
    await Promise.all([
      finishes(rollout.luigi('2026-11-05', REGISTERED, { registered: true })),
      finishes(rollout.luigi('2026-11-06', PATIENT)),
    ]);
    const registered = gateway.audit().filter(({ type }) => type.startsWith('dev.plumbline.luigid.worker.'));
    assert.deepEqual(
      registered.map(({ type, data }) => [type.split('.').at(-1), data['reason']]),
      [
        ['registered', undefined],
        ['ended', 'ended'],
      ],
    );
    const from = new Date();
    newTokens();
    await finishes(rollout.luigi('2026-11-07', REGISTERED, { registered: true }));
    await finishesAtTheGateway('2026-11-08');
    const left = await wouldRefuse(from);
    assert.equal(left.status, 0, left.output);
    assert.match(left.output, /Enforcement would refuse nothing of this/);
    assert.equal((await rollout.sh('empty')).status, 2, 'those of before');
  });

  async function finishesAtTheGateway(day: string): Promise<void> {
    const body = { role: 'sales-nightly', module: 'sales_nightly', task: 'sales.Nightly', parameters: { day } };
    const answer = await gateway.create(gitlabToken(), `nightly-${day}`, body);
    const run = (await answer.json()) as { id: string; runToken: string };
    assert.equal(answer.status, 201, JSON.stringify(run));
    const stateOf = async () =>
      ((await (await gateway.request(`/v1/runs/${run.id}`, run.runToken)).json()) as { state: string }).state;
    await gateway.until(async () => !['queued', 'running'].includes(await stateOf()), 60_000);
    const events = await gateway.request(`/v1/runs/${run.id}/logs`, run.runToken);
    assert.equal(await stateOf(), 'succeeded', await events.text());
    assert.equal(rollout.hasDone(day), true);
  }

  it('4: one change of the policy, and nobody passes without a credential', async () => {
    held.anonymous = await hold('2026-11-09', PATIENT);
    held.registered = await hold('2026-11-10', REGISTERED, true);
    rollout.decree('enforce');
    await rollout.inForce();
    const checked = await rollout.sh('refused');
    assert.equal(checked.status, 0, checked.output);
    const refused = rollout.luigi('2026-11-11', ['gateway', 'once']);
    assert.equal(await refused.ended(), 40, refused.log());
    assert.match(refused.log(), /401/);
    assert.equal(rollout.hasDone('2026-11-11'), false);
    const found = gateway
      .audit()
      .filter(({ type, data }) => type.endsWith('luigid.refused') && data['allowed'] === false);
    assert.deepEqual(found.at(-1)?.data, {
      address: '127.0.0.1',
      allowed: false,
      count: 1,
      errorCode: 'sign-in-needed',
      reason: 'no-credential',
      route: 'luigid',
    });
    await finishes(held.registered);
    newTokens();
    await finishes(rollout.luigi('2026-11-12', REGISTERED, { registered: true }));
    await finishesAtTheGateway('2026-11-13');
  });

  it('5: the same change backwards, and the worker that still asks goes on', async () => {
    const { anonymous } = held;
    assert.ok(anonymous);
    rollout.release(anonymous);
    await gateway.until(() => /Failed connecting to remote scheduler/.test(anonymous.log()));
    assert.equal(anonymous.isRunning(), true, anonymous.log());
    rollout.decree('back');
    await finishes(anonymous);
    await finishes(rollout.luigi('2026-11-14', PATIENT));
  });

  it('leaves no credential in log and audit', () => {
    const everything = gateway.log + JSON.stringify(gateway.audit());
    assert.doesNotMatch(everything, /pl[swr]_[\w.-]{20,}|ey[\w-]{20,}\.[\w-]{20,}\./);
  });
});
