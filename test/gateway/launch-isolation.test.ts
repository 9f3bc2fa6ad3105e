import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { Secret } from '#core/secret.ts';
import { findStrays } from '#engines/luigi/stray-processes.ts';
import type { Launch } from '#gateway/launch/launcher.ts';
import { whyNoUsers } from '#gateway/launch/switching-users.ts';
import { followAttempt, LaunchScenario, until } from '../support/launch-scenario.ts';

/** Two roles' users; they need not be in any user database. */
const ALICE = { uid: 61_001, gid: 61_001 };
const BOB = { uid: 61_002, gid: 61_002 };
const named = ({ uid, gid }: typeof ALICE) => `${uid}:${gid}`;

describe('workers with Unix users of their own (needs root)', () => {
  let scenario: LaunchScenario;

  before(function () {
    const why = whyNoUsers();
    if (why === undefined) return;
    console.log(`    (skipped: ${why})`);
    this.skip();
  });
  beforeEach(async () => {
    scenario = await LaunchScenario.create({ isolation: 'user' });
    for (const [name, user] of Object.entries({ alice: ALICE, bob: BOB })) {
      const home = join(scenario.folder, name);
      mkdirSync(home, { mode: 0o700 });
      chownSync(home, user.uid, user.gid);
    }
  });
  afterEach(() => scenario.close());

  const startAs = (user: typeof ALICE, task: string, changes: Partial<Launch> = {}) =>
    scenario.start('intruder', task, {
      unixUser: named(user),
      workingDirectory: join(scenario.folder, user === ALICE ? 'alice' : 'bob'),
      ...changes,
    });

  async function told(runId: string, folder: string, prefix: string): Promise<Told> {
    const path = join(scenario.folder, folder, `${prefix}-${runId}.1.json`);
    await until(() => existsSync(path) && readFileSync(path, 'utf8').endsWith('}'));
    return JSON.parse(readFileSync(path, 'utf8'));
  }

  it('run as that user alone, without privileges and without a way to win any', async () => {
    process.env['GATEWAY_ONLY'] = 'canary';
    const umask = process.umask(0o077);
    const runId = await startAs(ALICE, 'Tells', { secretFiles: { TOKEN_FILE: new Secret('a token') } }).finally(() => {
      process.umask(umask);
      delete process.env['GATEWAY_ONLY'];
    });
    assert.equal((await followAttempt(scenario.launcher, runId)).outcome.state, 'succeeded');
    const facts = await told(runId, 'alice', 'tells');
    assert.deepEqual(facts['ids'], [Array(3).fill(ALICE.uid), Array(3).fill(ALICE.gid)]);
    assert.deepEqual(facts['groups'], []);
    const none = '0000000000000000';
    assert.deepEqual(facts['privileges'], { NoNewPrivs: '1', CapPrm: none, CapEff: none, CapInh: none, CapAmb: none });
    assert.notEqual(facts['sudo'], 0);
    assert.equal(facts['umask'], 0o022);
    for (const target of facts.descriptors ?? [])
      assert.match(target, /'(\/dev\/null|pipe:\[\d+\]|.*tells-.*)'|No such file/);
    assert.equal(facts['token'], 'a token');
    assert.equal(facts['session'], facts['supervisor']);
    assert.ok(!('GATEWAY_ONLY' in (facts.environment ?? {})));
    const { uid, mode } = statSync(scenario.attemptFolder(runId));
    assert.deepEqual({ uid, mode: mode & 0o777 }, { uid: ALICE.uid, mode: 0o700 });
  });

  it('reach nothing of the gateway, nor of another role', async () => {
    const place = await world(scenario.folder);
    try {
      const victim = await startAs(BOB, 'Tells', {
        parameters: { wait: 'True' },
        secretVariables: { PASSWORD: new Secret('of bob') },
        secretFiles: { TOKEN_FILE: new Secret('of bob') },
      });
      await told(victim, 'bob', 'tells');
      const [attempt, { pid }] = [scenario.attemptFolder(victim), claimOf(victim)];
      const paths = [
        ...['keys/run-token.key', 'audit/0001.jsonl', 'store.sqlite'].map((name) => join(place.state, name)),
        ...['claim.json', 'events.jsonl', 'output.log'].map((name) => join(attempt, name)),
        join(`${attempt}.secrets`, 'TOKEN_FILE'),
        join(scenario.runsDirectory, 'records', `${victim}.1.attempt.json`),
        ...[pid, process.pid].flatMap((id) => [`/proc/${id}/environ`, `/proc/${id}/mem`]),
        join(scenario.folder, 'bob', `tells-${victim}.1.json`),
      ];
      const folders = [
        place.state,
        attempt,
        scenario.runsDirectory,
        `${attempt}.secrets`,
        join(scenario.folder, 'bob'),
      ];
      const intruder = await startAs(ALICE, 'Intrudes', {
        parameters: { paths, folders, sockets: [place.socket], processes: [process.pid, pid] },
      });
      const { outcome } = await followAttempt(scenario.launcher, intruder);
      assert.equal(outcome.state, 'succeeded', JSON.stringify(outcome.findings));
      const found = await told(intruder, 'alice', 'intruder');
      const tried = [
        ...paths,
        ...folders,
        ...folders.map((path) => `${path} write`),
        place.socket,
        `${process.pid}`,
        `${pid}`,
      ];
      assert.deepEqual(Object.keys(found).toSorted(), tried.toSorted());
      for (const [what, came] of Object.entries(found)) {
        assert.match(String(came), /^(Permission denied|Operation not permitted)$/, what);
      }
      assert.equal(await scenario.launcher.stop(victim, 1, 'cancelled'), 'stopped');
    } finally {
      place.server.close();
    }
  });

  it('can be stopped with all that they started, and leave nothing when they are removed', async () => {
    const runId = await scenario.start('daemons', 'LeavesDaemons', {
      unixUser: named(ALICE),
      workingDirectory: join(scenario.folder, 'alice'),
    });
    await until(() => existsSync(join(scenario.folder, 'alice', 'ready')));
    assert.equal(await scenario.launcher.stop(runId, 1, 'cancelled'), 'stopped');
    assert.deepEqual(findStrays(`${runId}.1`), []);
    assert.equal((await followAttempt(scenario.launcher, runId)).outcome.state, 'cancelled');
    await scenario.launcher.remove(runId, 1);
    assert.ok(!existsSync(scenario.attemptFolder(runId)));
  });

  it('are lost without their supervisor, and nothing of them is left', async () => {
    const runId = await startAs(ALICE, 'Tells', { parameters: { wait: 'True' } });
    await told(runId, 'alice', 'tells');
    process.kill(claimOf(runId).pid, 'SIGKILL');
    assert.equal((await followAttempt(scenario.launcher, runId)).outcome.state, 'lost');
    assert.deepEqual(findStrays(`${runId}.1`), []);
  });

  describe('who put traps in their own folder', () => {
    for (const name of ['events.jsonl', 'output.log', 'exit.json', 'claim.json']) {
      for (const kind of ['link', 'pipe', 'folder', 'second name']) {
        it(`${name} is a ${kind}: nothing is read through it and nobody is held up`, async () => {
          const secret = join(scenario.folder, 'secret');
          writeFileSync(secret, 'canary\n', { mode: 0o600 });
          // A worker waits for a reader of its own pipe; nobody waits for the worker.
          const maxRuntimeMs = name === 'events.jsonl' && kind === 'pipe' ? 2_000 : 60_000;
          const parameters = { name, kind, target: secret };
          const runId = await startAs(ALICE, 'Tampers', { parameters, maxRuntimeMs });
          const { outcome } = await followAttempt(scenario.launcher, runId);
          assert.notEqual(outcome.state, 'succeeded');
          const { bytes } = await scenario.launcher.output(runId, 1, { start: 0 });
          assert.ok(!Buffer.from(bytes).includes('canary'));
          if (name === 'output.log') assert.equal(bytes.length, 0);
          assert.ok(!JSON.stringify(outcome).includes('canary'));
          const later = await LaunchScenario.create({ isolation: 'user' }, scenario.folder);
          assert.ok(['ended', 'lost'].includes(await later.launcher.recover(runId, 1)));
          assert.equal((await followAttempt(later.launcher, runId)).outcome.state, outcome.state);
          await later.launcher.remove(runId, 1);
          assert.equal(readFileSync(secret, 'utf8'), 'canary\n');
        });
      }
    }

    it('nothing is deleted through a link, and what forbids its deletion goes too', async () => {
      const kept = join(scenario.folder, 'kept');
      mkdirSync(kept);
      writeFileSync(join(kept, 'file'), 'kept');
      const runId = await startAs(ALICE, 'Tampers', { parameters: { name: 'way out', kind: 'link', target: kept } });
      await followAttempt(scenario.launcher, runId);
      const closed = join(scenario.attemptFolder(runId), 'closed');
      mkdirSync(join(closed, 'inner'), { recursive: true });
      for (const path of [join(closed, 'inner'), closed]) {
        chownSync(path, ALICE.uid, ALICE.gid);
        chmodSync(path, 0);
      }
      await scenario.launcher.remove(runId, 1);
      assert.ok(!existsSync(scenario.attemptFolder(runId)));
      assert.equal(readFileSync(join(kept, 'file'), 'utf8'), 'kept');
    });

    it('the pid in a claim is nobody to be ended', async () => {
      const bystander: ChildProcess = spawn('sleep', ['3600'], { stdio: 'ignore' });
      try {
        const runId = await startAs(ALICE, 'Tells', { parameters: { wait: 'True' } });
        await told(runId, 'alice', 'tells');
        const claim = join(scenario.attemptFolder(runId), 'claim.json');
        writeFileSync(claim, JSON.stringify({ protocol: 1, pid: bystander.pid, started: '1' }));
        const later = await LaunchScenario.create({ isolation: 'user' }, scenario.folder);
        assert.equal(await later.launcher.recover(runId, 1), 'alive');
        assert.equal(await later.launcher.stop(runId, 1, 'cancelled'), 'stopped');
        assert.equal(bystander.exitCode ?? bystander.signalCode, null);
      } finally {
        bystander.kill('SIGKILL');
      }
    });

    it('the mark of a run on a process of another user does not end that', async () => {
      const runId = await startAs(ALICE, 'Tells', { parameters: { wait: 'True' } });
      await told(runId, 'alice', 'tells');
      const env = { PATH: '/usr/bin:/bin', PLUMBLINE_RUN_ID: `${runId}.1` };
      const bystander = spawn('sleep', ['3600'], { stdio: 'ignore', env, uid: BOB.uid, gid: BOB.gid });
      await once(bystander, 'spawn');
      try {
        process.kill(claimOf(runId).pid, 'SIGKILL');
        assert.equal((await followAttempt(scenario.launcher, runId)).outcome.state, 'lost');
        assert.equal(bystander.exitCode ?? bystander.signalCode, null);
      } finally {
        bystander.kill('SIGKILL');
      }
    });
  });

  it('are refused when the user is root, the gateway, unknown or not named', async () => {
    for (const unixUser of ['root', '0:0', '0:61001', '61001:0', 'no-such-user-here', '-x', 'a b', '61001']) {
      await assert.rejects(
        scenario.start('appending', 'Appends', { unixUser }),
        { code: 'ERR_UNIX_USER_INVALID' },
        unixUser,
      );
    }
    await assert.rejects(scenario.start('appending', 'Appends'), { code: 'ERR_ISOLATION_UNAVAILABLE' });
  });

  it('may have any user of this machine', async () => {
    const folder = join(scenario.folder, 'alice');
    chmodSync(folder, 0o777);
    const runId = await startAs(ALICE, 'Tells', { unixUser: 'daemon' });
    assert.equal((await followAttempt(scenario.launcher, runId)).outcome.state, 'succeeded');
    const facts = await told(runId, 'alice', 'tells');
    assert.equal(facts.environment?.['USER'], 'daemon');
  });

  function claimOf(runId: string): { pid: number } {
    return JSON.parse(readFileSync(join(scenario.attemptFolder(runId), 'claim.json'), 'utf8'));
  }
});

/** What the tasks of intruder.py write down. */
interface Told extends Record<string, unknown> {
  readonly environment?: Record<string, string>;
  readonly descriptors?: readonly string[];
}

/** A state directory as the gateway has one, with a luigid's socket. */
async function world(folder: string): Promise<{ state: string; socket: string; server: Server }> {
  const state = join(folder, 'state');
  for (const name of ['keys', 'audit']) mkdirSync(join(state, name), { recursive: true, mode: 0o700 });
  chmodSync(state, 0o700);
  // Modes as a careless administrator might leave them: the folder above is what keeps others out.
  for (const name of ['keys/run-token.key', 'audit/0001.jsonl', 'store.sqlite']) {
    writeFileSync(join(state, name), 'canary', { mode: 0o644 });
  }
  const socket = join(state, 'luigid.sock');
  const server = createServer();
  server.listen(socket);
  await once(server, 'listening');
  chmodSync(socket, 0o777);
  return { state, socket, server };
}
