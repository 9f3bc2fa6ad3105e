import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildGateway } from '../../scripts/build-gateway.ts';
import { type CreatedRun, TaskIdentityGateway } from '../support/task-identity-gateway.ts';
import { bindingsOf, type IdentityPolicy } from '../support/task-identity-policy.ts';

type Role = Record<string, unknown> & { taskIdentities: { tasks: string[]; identity?: string }[] };

describe('the tokens of tasks when something changes in mid-run', function () {
  this.timeout(120_000);
  let program: string;
  let gateway: TaskIdentityGateway;
  let usual: IdentityPolicy;
  let number = 0;

  before(async () => {
    ({ program } = await buildGateway());
    gateway = await TaskIdentityGateway.start({
      program,
      issuer: { lifetime: '1m' },
      policy: (policy) => {
        const { etl = {} } = policy.roles;
        etl['variables'] = { ...(etl['variables'] as object), KEEP_TOKENS: '1' };
        return policy;
      },
    });
    usual = gateway.current;
  });
  after(() => gateway?.close());
  beforeEach(() => gateway.setPolicy(usual));

  /** A run whose first task has its token and waits; two more tasks of another identity come after it. */
  async function waiting(): Promise<{ run: CreatedRun; name: string; token: string; worker: string }> {
    number += 1;
    const name = `n${number}`;
    const run = await gateway.create('Third', { name });
    const { held } = await gateway.told(`began-First-${name}`);
    assert.ok(held?.token && held.worker);
    return { run, name, token: held.token, worker: held.worker };
  }
  const ranOf = (name: string) => gateway.ran().filter((line) => line.endsWith(` ${name}`));
  const rejectedOf = (run: CreatedRun) =>
    gateway.audit('identity.rejected').filter(({ subject }) => subject === run.id);
  const role = (policy: IdentityPolicy) => policy.roles['etl'] as Role;
  const isAbout = (result: string, kid: string) =>
    gateway.audit('issuer.key').some(({ data }) => data['result'] === result && data['keyId'] === kid);
  const exchange = (worker: string, name: string, family = 'Second') =>
    gateway.exchange({ subject_token: worker, task_family: family, task_id: `${family}_${name}_0000000000` });

  /** The run went on to its end and every one of its tasks ran once, with a token of its own. */
  async function assertAllRan({ run, name }: { run: CreatedRun; name: string }): Promise<void> {
    const { state, findings } = await gateway.outcomeOf(run);
    assert.equal(state, 'succeeded', JSON.stringify(findings));
    assert.deepEqual(ranOf(name), [`First ${name}`, `Second ${name}`, `Third ${name}`]);
    const issued = gateway.issued(run);
    // A task that takes longer than six seconds has a second one.
    assert.deepEqual([...new Set(issued.map(({ data }) => data['family']))], ['First', 'Second', 'Third']);
    assert.equal(new Set(issued.map(({ data }) => data['tokenId'])).size, issued.length);
  }

  /** The run was ended by a refused exchange; no further task began. */
  async function assertAborted({ run, name }: { run: CreatedRun; name: string }, reason: RegExp): Promise<void> {
    const { state, findings } = await gateway.outcomeOf(run);
    assert.equal(state, 'failed', JSON.stringify(findings));
    assert.ok(
      findings.some(({ code }) => code === 'ERR_IDENTITY_REJECTED'),
      JSON.stringify(findings),
    );
    assert.deepEqual(ranOf(name), [`First ${name}`], 'no code of a refused task was entered');
    const rejected = rejectedOf(run);
    assert.ok(rejected.length > 0, 'a security event is on record');
    assert.ok(
      rejected.some(({ data }) => data['family'] === 'Second' && reason.test(String(data['reason']))),
      JSON.stringify(rejected),
    );
    assert.deepEqual([...new Set(gateway.issued(run).map(({ data }) => data['family']))], ['First']);
  }

  it('nothing: all three tasks run, two of them with the second identity', async () => {
    const started = await waiting();
    gateway.open(started.name);
    await assertAllRan(started);
    const second = await gateway.told(`Second-${started.name}.json`);
    assert.equal(second.held?.claims.sub, 'plumbline:stock');
    assert.equal((await gateway.verify(second.held?.token ?? '')).jti, second.held?.claims.jti);
  });

  it('keys are rotated by the command line: what is about stays good, what comes has the new key', async () => {
    const started = await waiting();
    const before = keyIdOf(started.token);
    const keys = (...words: string[]) => {
      const args = ['issuer', ...words, '--config', gateway.served.configFile, '--json'];
      const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], { encoding: 'utf8' });
      assert.equal(status, 0, stdout + stderr);
      assert.doesNotMatch(stdout + stderr, /PRIVATE/);
    };
    const published = async () => {
      const answer = await fetch(`${gateway.served.url}/.well-known/jwks.json`);
      return ((await answer.json()) as { keys: { kid: string }[] }).keys.map(({ kid }) => kid);
    };
    keys('prepare');
    await gateway.served.until(async () => (await published()).length === 2);
    const [prepared = ''] = (await published()).filter((kid) => kid !== before);
    await exchange(started.worker, started.name);
    assert.equal(gateway.issued(started.run).at(-1)?.data['keyId'], before, 'a prepared key does not sign');
    keys('activate', prepared);
    await gateway.served.until(() => isAbout('activated', prepared));
    assert.equal((await gateway.verify(started.token)).sub, 'plumbline:sales', 'a token of before still verifies');
    gateway.open(started.name);
    assert.equal((await gateway.outcomeOf(started.run)).state, 'succeeded');
    const { held } = await gateway.told(`Third-${started.name}.json`);
    assert.equal(keyIdOf(held?.token ?? ''), prepared, 'what comes afterwards has the new key');
    assert.deepEqual((await published()).toSorted(), [before, prepared].toSorted(), 'published while its tokens live');
    await gateway.verify(held?.token ?? '');
    await gateway.verify(started.token);
  });

  it('the gateway is killed and comes back: the run goes on and nothing of it is lost', async () => {
    const started = await waiting();
    await gateway.served.stop('SIGKILL');
    gateway.open(started.name);
    await gateway.told(`First-${started.name}.json`);
    await sleep(1_000);
    assert.deepEqual(ranOf(started.name), [`First ${started.name}`], 'nobody runs without a token');
    await gateway.served.start();
    await assertAllRan(started);
    assert.equal((await gateway.verify(started.token)).sub, 'plumbline:sales');
  });

  it('the policy changes while the gateway is away: it holds from the first request on', async () => {
    const started = await waiting();
    await gateway.served.stop('SIGKILL');
    const stopped = gateway.changed((policy) => {
      role(policy).taskIdentities = role(policy).taskIdentities.filter(({ identity }) => identity !== 'stock');
    });
    gateway.open(started.name);
    gateway.setPolicyWhileStopped(stopped);
    await gateway.served.start();
    await assertAborted(started, /^family$/);
  });

  const changes: readonly (readonly [string, (policy: IdentityPolicy) => void, RegExp])[] = [
    [
      'the identity of a family is taken away',
      (policy) => {
        role(policy).taskIdentities = role(policy).taskIdentities.filter(({ identity }) => identity !== 'stock');
      },
      /^family$/,
    ],
    [
      'the binding narrows the families of its runs',
      (policy) => {
        for (const binding of policy.bindings) binding['taskFamilies'] = ['First'];
      },
      /^binding-family$/,
    ],
    [
      'the binding is removed',
      (policy) => {
        policy.bindings = policy.bindings.filter(({ name }) => name !== 'app');
      },
      /./,
    ],
    [
      'the role is removed',
      (policy) => {
        policy.roles['another'] = { ...role(policy) };
        delete policy.roles['etl'];
        policy.bindings = bindingsOf(policy, ['another']);
      },
      /./,
    ],
    [
      'a deny rule is added',
      (policy) => {
        policy.deny = [{ name: 'stop', reason: 'incident' }];
      },
      /./,
    ],
  ];
  for (const [what, change, reason] of changes)
    it(`${what}: the run is aborted before another task begins, and its worker's token is worth nothing more`, async () => {
      const started = await waiting();
      const hash = await gateway.setPolicy(gateway.changed(change));
      gateway.open(started.name);
      await assertAborted(started, reason);
      const isLoad = ({ type }: { type: string }) => type === 'dev.plumbline.policy.loaded';
      const loaded = gateway.audit().findLastIndex((line) => isLoad(line) && line.data['policy'] === hash);
      const later = gateway.audit().slice(loaded);
      assert.deepEqual(
        later.filter(({ type }) => type === 'dev.plumbline.identity.issued'),
        [],
        'nothing was issued on the old grant',
      );
      await assertRefused(await exchange(started.worker, started.name));
    });

  it('the identity of a task that runs is taken away: it ends with its run at the next renewal', async () => {
    const started = await waiting();
    await gateway.setPolicy(
      gateway.changed((policy) => {
        role(policy).taskIdentities = role(policy).taskIdentities.filter(({ identity }) => identity !== 'sales');
      }),
    );
    const { state, findings } = await gateway.outcomeOf(started.run);
    assert.equal(state, 'failed');
    assert.ok(findings.some(({ code }) => code === 'ERR_IDENTITY_REJECTED'));
    assert.deepEqual(ranOf(started.name), [`First ${started.name}`]);
    assert.ok(!existsSync(gateway.place(`First-${started.name}.json`)));
    assert.ok(rejectedOf(started.run).some(({ data }) => data['family'] === 'First' && data['reason'] === 'family'));
  });

  it('a task that runs for long has its token renewed, each time another one', async () => {
    const started = await waiting();
    await gateway.served.until(() => gateway.issued(started.run).length >= 3);
    gateway.open(started.name);
    const { held } = await gateway.told(`First-${started.name}.json`);
    const tokens = gateway.issued(started.run).map(({ data }) => data['tokenId']);
    assert.ok(tokens.indexOf(held?.claims.jti) >= 1, 'at its end the file holds a later token than at its beginning');
    await assertAllRan(started);
  });

  it('under a hail of requests, a change of the policy is a clean cut', async () => {
    const started = await waiting();
    let changed = false;
    const answers: { asked: boolean; status: number }[] = [];
    const hail = (async () => {
      const end = Date.now() + 20_000;
      while (Date.now() < end && answers.filter(({ status }) => status === 400).length < 20) {
        const asked = changed;
        const { status } = await exchange(started.worker, started.name);
        answers.push({ asked, status });
      }
    })();
    await gateway.served.until(() => answers.length > 20);
    await gateway.setPolicy(
      gateway.changed((policy) => {
        role(policy).taskIdentities = role(policy).taskIdentities.filter(({ identity }) => identity !== 'stock');
      }),
    );
    changed = true;
    await hail;
    const firstRefused = answers.findIndex(({ status }) => status === 400);
    assert.ok(firstRefused > 20, 'before the change it was allowed');
    assert.deepEqual([...new Set(answers.slice(0, firstRefused).map(({ status }) => status))], [200]);
    assert.deepEqual([...new Set(answers.slice(firstRefused).map(({ status }) => status))], [400]);
    gateway.open(started.name);
    await gateway.outcomeOf(started.run);
  });

  it('the run is cancelled: its worker and whoever replays its requests get nothing more', async () => {
    const started = await waiting();
    assert.equal((await exchange(started.worker, started.name)).status, 200, 'while it lives the token buys');
    const answer = await gateway.cancel(started.run);
    assert.ok(answer.ok, String(answer.status));
    await assertRefused(await exchange(started.worker, started.name));
    gateway.open(started.name);
    assert.equal((await gateway.outcomeOf(started.run)).state, 'cancelled');
    for (const family of ['First', 'Second', 'Third'])
      await assertRefused(await exchange(started.worker, started.name, family));
    assert.deepEqual(ranOf(started.name), [`First ${started.name}`]);
    assert.ok(rejectedOf(started.run).length > 0, 'it is on record');
  });

  it('the run has ended: the same', async () => {
    const started = await waiting();
    gateway.open(started.name);
    await assertAllRan(started);
    await assertRefused(await exchange(started.worker, started.name));
  });

  it('report becomes enforce: what a report let run without a token is refused from then on', async () => {
    const narrowed = (mode: 'report' | 'enforce') => (policy: IdentityPolicy) => {
      role(policy).taskIdentities = [{ tasks: ['First'], identity: 'sales' }];
      for (const binding of policy.bindings) binding['mode'] = mode;
    };
    await gateway.setPolicy(gateway.changed(narrowed('report')));
    const reported = await waiting();
    gateway.open(reported.name);
    const { state, findings } = await gateway.outcomeOf(reported.run);
    assert.equal(state, 'succeeded', JSON.stringify(findings));
    assert.equal((await gateway.told(`Second-${reported.name}.json`)).held, null, 'it ran, without a token');
    assert.deepEqual(
      rejectedOf(reported.run).map(({ data }) => [data['family'], data['mode']]),
      [
        ['Second', 'report'],
        ['Third', 'report'],
      ],
    );

    const enforced = await waiting();
    await gateway.setPolicy(gateway.changed(narrowed('enforce')));
    gateway.open(enforced.name);
    await assertAborted(enforced, /^family$/);

    const relaxed = await waiting();
    await gateway.setPolicy(gateway.changed(narrowed('report')));
    gateway.open(relaxed.name);
    assert.equal((await gateway.outcomeOf(relaxed.run)).state, 'succeeded');
  });

  it('everything is in an audit log that verifies', () => gateway.assertAuditIntact());
});

async function assertRefused(answer: Response): Promise<void> {
  const body = (await answer.json()) as Record<string, unknown>;
  assert.equal(answer.status, 400, JSON.stringify(body));
  assert.equal(body['code'], 'ERR_IDENTITY_REJECTED');
  assert.equal(body['access_token'], undefined);
}

function keyIdOf(token: string): string {
  return JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid;
}
