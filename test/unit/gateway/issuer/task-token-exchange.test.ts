import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { decodeJwt } from 'jose';
import { systemClock } from '#core/clock.ts';
import type { PlumblineError } from '#core/errors.ts';
import { openTokenIssuer } from '#gateway/issuer/open-token-issuer.ts';
import { taskTokenExchange } from '#gateway/issuer/task-token-exchange.ts';
import type { TaskTokenRequest, TaskTokens } from '#gateway/issuer/task-tokens.ts';
import type { TokenIssuer } from '#gateway/issuer/token-issuer.ts';
import type { TaskDecision, TaskIdentity } from '#gateway/policy/task-identity.ts';
import { liveWorkers } from '#gateway/workers/live-workers.ts';
import type { Worker, Workers } from '#gateway/workers/worker.ts';
import {
  callerOf,
  eventually,
  FakePolicy,
  isOver,
  RunsFixture,
  roleOf,
  specificationOf,
} from '../../../support/gateway/runs-fixture.ts';
import { NO_NETWORK } from '../../../support/hand-clock.ts';

const WANTED: TaskTokenRequest = { family: 'sales.Load', taskId: 'sales.Load__99914b932b', requestId: 'r' };
const LOADER: TaskIdentity = {
  name: 'loader',
  subject: 'plumbline:loader',
  targets: [
    { kind: 'file', audience: 'vault', variable: 'VAULT_TOKEN_FILE' },
    { kind: 'aws', audience: 'sts.amazonaws.com', roleArn: 'arn:aws:iam::123456789012:role/x' },
  ],
};

/** A policy that says of every task what it is told to. */
class TaskPolicy extends FakePolicy {
  says: TaskDecision = { allowed: true, wouldAllow: true, mode: 'enforce', reason: 'task-identity', identity: LOADER };

  override decideTask(): TaskDecision {
    return this.says;
  }
}

describe('the exchange of a worker for the token of a task', () => {
  const folder = mkdtempSync(join(tmpdir(), 'exchange-'));
  let fixture: RunsFixture;
  let policy: TaskPolicy;
  let issuer: TokenIssuer;
  let workers: Workers;
  let tokens: TaskTokens;
  let worker: Worker;
  /** What happens between the record of a token and its answer. */
  let meanwhile: () => Promise<void> | void;

  before(async () => {
    const keys = { kind: 'files', rotateEveryMs: 0, publishForMs: 0 } as const;
    issuer = await openTokenIssuer({
      config: { url: 'https://issuer.example.com', lifetimeMs: 600_000, keys },
      stateDirectory: folder,
      clock: systemClock,
      log: { error: () => {}, info: () => {} },
      audited: async () => {},
      identity: () => assert.fail('no vault'),
      http: NO_NETWORK,
    });
  });
  after(async () => {
    await issuer.close();
    rmSync(folder, { recursive: true });
  });
  beforeEach(async () => {
    fixture = new RunsFixture();
    fixture.policy = policy = new TaskPolicy(roleOf('etl'));
    meanwhile = () => {};
    await fixture.start();
    workers = liveWorkers({ runs: fixture.service.workers, policy: () => fixture.policy, clock: systemClock });
    const audit = {
      append: async (event: Parameters<typeof fixture.audit.append>[0]) => {
        const receipt = await fixture.audit.append(event);
        if (event.type.endsWith('identity.issued')) await meanwhile();
        return receipt;
      },
    };
    tokens = taskTokenExchange({ workers, policy: () => policy, issuer, audit });
    const { run } = await fixture.service.create(callerOf(), 'key', specificationOf());
    await eventually(() => fixture.machine.workers.has(`${run.id}.1`));
    worker = workers.find(`${run.id}.1`) ?? assert.fail('it lives');
  });
  afterEach(() => fixture.remove());

  const rejected =
    (reason: string, mode = 'enforce') =>
    (thrown: unknown) => {
      const { code, details } = thrown as PlumblineError;
      assert.deepEqual([code, details['reason'], details['mode']], ['ERR_IDENTITY_REJECTED', reason, mode]);
      return true;
    };
  const ofIdentity = () => fixture.audit.events.filter(({ type }) => type.includes('.identity.'));

  it('answers when the record stands, and with what it names', async () => {
    let before = '';
    meanwhile = () => {
      before = ofIdentity().at(-1)?.data['tokenId'] as string;
    };
    const { token, audience, identity, targets, renewAfterSeconds } = await tokens.exchange(worker, WANTED);
    const { jti, sub, aud } = decodeJwt(token);
    assert.equal(before, jti);
    assert.deepEqual([sub, aud, audience, identity], ['plumbline:loader', 'vault', 'vault', 'loader']);
    assert.deepEqual([targets, renewAfterSeconds], [LOADER.targets, 60]);
  });

  it('gives no token twice, however many ask at once', async () => {
    const given = await Promise.all(Array.from({ length: 50 }, () => tokens.exchange(worker, WANTED)));
    const ids = given.map(({ token }) => decodeJwt(token).jti);
    assert.equal(new Set(ids).size, 50);
    assert.deepEqual(
      ofIdentity()
        .map(({ data }) => data['tokenId'])
        .sort(),
      ids.sort(),
    );
  });

  it('gives nothing that is not on record, and refuses nothing that is not', async () => {
    fixture.audit.broken = true;
    await assert.rejects(tokens.exchange(worker, WANTED), { code: 'ERR_AUDIT_UNAVAILABLE' });
    policy.says = { allowed: false, wouldAllow: false, mode: 'enforce', reason: 'family' };
    await assert.rejects(tokens.exchange(worker, WANTED), { code: 'ERR_AUDIT_UNAVAILABLE' });
    fixture.audit.broken = false;
    assert.deepEqual(ofIdentity(), []);
  });

  it('hands nothing out when the run is to be stopped between the record and the answer', async () => {
    meanwhile = async () => {
      await fixture.service.cancel(callerOf(), worker.runId, 'cancelled');
    };
    await assert.rejects(tokens.exchange(worker, WANTED), rejected('worker-unknown'));
    const [issued, refused] = ofIdentity();
    assert.ok(issued?.data['tokenId']);
    assert.deepEqual(
      [refused?.type, refused?.data['tokenId'], refused?.data['reason']],
      ['dev.plumbline.identity.rejected', issued.data['tokenId'], 'worker-unknown'],
    );
  });

  it('hands nothing out once a cancellation is on record, though the store cannot take it yet', async () => {
    const other = new DatabaseSync(fixture.file);
    other.exec('BEGIN IMMEDIATE');
    const cancelled = fixture.service.cancel(callerOf(), worker.runId, 'cancelled');
    await eventually(() => fixture.audit.types(worker.runId).includes('run.cancel.intent'));
    await assert.rejects(tokens.exchange(worker, WANTED), rejected('worker-unknown'));
    other.close();
    assert.equal((await cancelled).run.state, 'cancelled');
  });

  /** Another policy comes into force in the moment between record and answer, once for each. */
  const changing = (...policies: readonly { sha: string; says?: TaskDecision; allow?: boolean }[]) => {
    const left = [...policies];
    return () => {
      const next = left.shift();
      if (!next) return;
      const before = policy.says;
      fixture.policy = policy = new TaskPolicy(roleOf('etl'));
      policy.sha256 = next.sha.repeat(64);
      policy.says = next.says ?? before;
      policy.allow = () => next.allow ?? true;
    };
  };
  const claimed = (token: string) => {
    const { sub, plumbline } = decodeJwt(token);
    return [sub, (plumbline as { policy: string }).policy];
  };

  it('hands nothing out when another policy refuses it in that moment', async () => {
    meanwhile = changing({ sha: 'c', says: { allowed: false, wouldAllow: false, mode: 'report', reason: 'family' } });
    await assert.rejects(tokens.exchange(worker, WANTED), rejected('family', 'report'));
    fixture.policy = policy = new TaskPolicy(roleOf('etl'));
    meanwhile = changing({ sha: 'd', allow: false });
    await assert.rejects(tokens.exchange(worker, WANTED), rejected('run-denied'));
  });

  it('gives another token when another policy gives another identity in that moment, and none of an old policy', async () => {
    const other = { ...LOADER, name: 'other', subject: 'plumbline:other', targets: [] };
    meanwhile = changing({ sha: 'b', says: { ...policy.says, identity: other } });
    const { token, identity, audience } = await tokens.exchange(worker, WANTED);
    assert.deepEqual([claimed(token), identity, audience], [['plumbline:other', 'b'.repeat(64)], 'other', issuer.url]);
    meanwhile = changing({ sha: 'c' }, { sha: 'd' });
    assert.deepEqual(claimed((await tokens.exchange(worker, WANTED)).token), ['plumbline:other', 'd'.repeat(64)]);
    meanwhile = changing({ sha: '1' }, { sha: '2' }, { sha: '3' });
    await assert.rejects(tokens.exchange(worker, WANTED), rejected('policy-changed'));
    const [last] = ofIdentity().slice(-1);
    assert.deepEqual([last?.data['reason'], last?.data['policy']], ['policy-changed', '3'.repeat(64)]);
  });

  it('refuses what the policy refuses, and says where a report lets the task go on', async () => {
    policy.says = { allowed: false, wouldAllow: false, mode: 'report', reason: 'binding-family' };
    await assert.rejects(tokens.exchange(worker, WANTED), rejected('binding-family', 'report'));
    const [{ data } = assert.fail('it is on record')] = ofIdentity();
    assert.deepEqual(
      [data['mode'], data['allowed'], data['wouldAllow'], data['reason'], data['family'], data['taskId']],
      ['report', true, false, 'binding-family', WANTED.family, WANTED.taskId],
    );
  });

  it('refuses a task that is not of its family, and an audience that is not of its identity', async () => {
    for (const taskId of ['sales.Load', 'sales.LoadAll__1', 'Load__1', 'sales.load__1', '_sales.Load__1'])
      await assert.rejects(tokens.exchange(worker, { ...WANTED, taskId }), rejected('task-mismatch'), taskId);
    for (const audience of ['other', 'https://issuer.example.com', 'VAULT'])
      await assert.rejects(tokens.exchange(worker, { ...WANTED, audience }), rejected('audience'), audience);
    const { audience } = await tokens.exchange(worker, { ...WANTED, audience: 'sts.amazonaws.com' });
    assert.equal(audience, 'sts.amazonaws.com');
  });

  it('refuses a worker whose run is over, and records it all the same', async () => {
    fixture.machine.finish(fixture.machine.worker(worker.runId));
    await fixture.until(worker.runId, isOver);
    await assert.rejects(tokens.exchange(worker, WANTED), rejected('worker-unknown'));
    const [{ subject, data } = assert.fail('it is on record')] = ofIdentity();
    assert.deepEqual([subject, data['worker'], data['reason']], [worker.runId, worker.id, 'worker-unknown']);
  });

  it('records a task whose name looks like a credential, without it', async () => {
    const like = `ghp_${'a1B2'.repeat(9)}`;
    const { token } = await tokens.exchange(worker, { ...WANTED, family: like, taskId: `${like}_1` });
    assert.equal((decodeJwt(token)['plumbline'] as { family: string }).family, like);
    assert.ok(!JSON.stringify(fixture.audit.events).includes(like));
    assert.equal(ofIdentity().length, 1);
  });

  it('gives nothing while no key can sign', async () => {
    const away: TokenIssuer = {
      ...issuer,
      issue: async () => {
        throw Object.assign(new Error('away'), { code: 'ERR_ISSUER_UNAVAILABLE' });
      },
    };
    const asking = taskTokenExchange({ workers, policy: () => policy, issuer: away, audit: fixture.audit });
    await assert.rejects(asking.exchange(worker, WANTED), { code: 'ERR_ISSUER_UNAVAILABLE' });
    assert.deepEqual(ofIdentity(), []);
  });
});
