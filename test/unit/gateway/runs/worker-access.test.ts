import assert from 'node:assert/strict';
import { Secret } from '#core/secret.ts';
import { workerTokens } from '#gateway/auth/worker-tokens.ts';
import type { Role } from '#gateway/policy/role.ts';
import type { WorkerAccess } from '#gateway/runs/worker-access.ts';
import {
  callerOf,
  eventually,
  FakePolicy,
  isOver,
  RunsFixture,
  roleOf,
  specificationOf,
} from '../../../support/gateway/runs-fixture.ts';

const TOKENS = workerTokens(new Secret('k'.repeat(43)));
const ACCESS: WorkerAccess = {
  tokens: TOKENS,
  issues: true,
  luigid: 'https://g.example.com/luigid',
};

describe('what a worker is told of its gateway', () => {
  let fixture: RunsFixture;
  beforeEach(() => {
    fixture = new RunsFixture();
  });
  afterEach(() => fixture.remove());

  const launched = async (access: WorkerAccess | undefined, role: Partial<Role>) => {
    fixture.options = { access, scheduler: 'local' };
    fixture.policy = new FakePolicy(roleOf('etl', role));
    await fixture.start();
    const { run } = await fixture.service.create(callerOf(), 'key', specificationOf());
    await eventually(() => fixture.machine.workers.has(`${run.id}.1`));
    return { id: `${run.id}.1`, launch: fixture.machine.worker(run.id).launch };
  };

  it('is nothing when its role has nothing to ask', async () => {
    const { launch } = await launched({ ...ACCESS, luigid: undefined }, {});
    assert.deepEqual([launch.gateway, launch.scheduler], [undefined, 'local']);
  });

  it('is its own token and the way to luigid', async () => {
    const { id, launch } = await launched(ACCESS, {});
    const { token, ...rest } = launch.gateway ?? assert.fail('it is told');
    assert.equal(TOKENS.verify(token.reveal()), id);
    assert.deepEqual(rest, { identities: false, luigid: true, timeoutSeconds: 60 });
    assert.equal(launch.scheduler, 'http://luigid.plumbline.invalid/luigid');
    assert.ok(!JSON.stringify(launch).includes(token.reveal()));
  });

  it('is that its tasks have identities', async () => {
    const { launch } = await launched({ ...ACCESS, luigid: undefined }, { taskIdentities: [{ tasks: ['*'] }] });
    assert.deepEqual([launch.gateway?.identities, launch.gateway?.luigid, launch.scheduler], [true, false, 'local']);
  });

  it('is no luigid when its role names a scheduler', async () => {
    const role = { scheduler: 'http://other:8082', taskIdentities: [{ tasks: ['*'] }] };
    const { launch } = await launched(ACCESS, role);
    assert.deepEqual([launch.gateway?.luigid, launch.scheduler], [false, 'http://other:8082']);
  });

  it('is a URL with a password for stock Luigi, which buys nothing', async () => {
    const { id, launch } = await launched(ACCESS, { stockLuigi: true });
    const { workerId, schedulerUrl, password } = launch.gateway?.stock ?? assert.fail('it is told');
    const url = new URL(schedulerUrl.reveal());
    assert.deepEqual([workerId, url.username, url.password], [id, id, password.reveal()]);
    assert.equal(`${url.protocol}//${url.host}${url.pathname}`, ACCESS.luigid);
    assert.ok(TOKENS.isSchedulerPassword(id, url.password));
    assert.throws(() => TOKENS.verify(password.reveal()));
  });

  it('is an error before anything is read when nobody issues tokens for its tasks', async () => {
    for (const access of [undefined, { ...ACCESS, issues: false }]) {
      const next = new RunsFixture();
      next.options = { access, secrets: { read: () => assert.fail('nothing may be read') } };
      next.policy = new FakePolicy(roleOf('etl', { taskIdentities: [{ tasks: ['*'] }] }));
      await next.start();
      const { run } = await next.service.create(callerOf(), 'key', specificationOf());
      const { outcome } = await next.until(run.id, isOver);
      assert.deepEqual([outcome?.state, outcome?.findings[0]?.code], ['failed', 'ERR_CONFIG_INVALID']);
      assert.match(
        outcome?.findings[0]?.message ?? '',
        /role 'etl' cannot have identities: this gateway issues no tokens/,
      );
      assert.deepEqual(next.machine.starts, []);
      await next.remove();
    }
    await fixture.start();
  });

  it('puts on record what a worker says of tokens that it did not get', async () => {
    const { id } = await launched(ACCESS, {});
    const runId = id.slice(0, -2);
    const finding = {
      severity: 'error',
      code: 'ERR_IDENTITY_REJECTED',
      message: 'no answer',
      taskId: 'Load__1',
    } as const;
    fixture.machine.finish(fixture.machine.worker(runId), 'failed', { findings: [finding] });
    await eventually(() => fixture.audit.types(runId).includes('run.end'));
    assert.deepEqual(fixture.audit.types(runId).slice(-2), ['identity.rejected', 'run.end']);
    const { data } = fixture.audit.events.find(({ type }) => type.endsWith('identity.rejected')) ?? assert.fail();
    assert.deepEqual(
      [data['role'], data['attempt'], data['taskId'], data['reason'], data['errorCode']],
      ['etl', 1, 'Load__1', 'told-by-worker', 'ERR_IDENTITY_REJECTED'],
    );
  });
});
