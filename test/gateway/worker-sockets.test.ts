import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { whyNoUsers } from '#gateway/launch/switching-users.ts';
import { buildGateway } from '../../scripts/build-gateway.ts';
import { type PlaceForOthers, placeForOthers } from '../support/place-for-others.ts';
import { type CreatedRun, TaskIdentityGateway } from '../support/task-identity-gateway.ts';
import { bindingsOf } from '../support/task-identity-policy.ts';
import { pythonForOthers } from '../support/task-identity-python.ts';
import { bySocket, TaskTokenClient } from '../support/task-token-client.ts';

/** Two roles' users; they need not be in any user database. */
const USERS = { alice: 61_001, bob: 61_002 } as const;
type User = keyof typeof USERS;
const CONNECTIONS = 64;

/** Holds every connection that it gets, asks for tokens on all of them as fast as it is answered, and knocks without end. */
const FLOOD = `
import selectors, socket, sys
path, most = sys.argv[1], int(sys.argv[2])
body = b"grant_type=x&subject_token=plw_x"
ask = b"POST /v1/token HTTP/1.1\\r\\nHost: g\\r\\nContent-Type: application/x-www-form-urlencoded\\r\\nContent-Length: %d\\r\\n\\r\\n%s" % (len(body), body)
held, answers, cut = selectors.DefaultSelector(), 0, 0
while True:
    for _ in range(8):
        if len(held.get_map()) < 4 * most:
            sock = socket.socket(socket.AF_UNIX)
            try:
                sock.connect(path)
                sock.send(ask)
                held.register(sock, selectors.EVENT_READ)
            except OSError:
                cut += 1
                sock.close()
    for key, _ in held.select(0.01):
        try:
            part = key.fileobj.recv(65536)
            if part and b"HTTP/1.1 400" in part:
                answers += 1
                key.fileobj.send(ask)
                continue
        except OSError:
            pass
        cut += 1
        held.unregister(key.fileobj)
        key.fileobj.close()
    if answers > 10 * most and cut > most:
        print("flooding", flush=True)
        answers = cut = 0
`;
/** What somebody may do with a socket. */
const TRIES = `
import json, os, socket, sys
path, own = sys.argv[1:]
open(own, "w").close()
def tried(act):
    try:
        act()
        return "done"
    except OSError as error:
        return error.strerror
print(json.dumps({
    "connect": tried(lambda: socket.socket(socket.AF_UNIX).connect(path)),
    "remove": tried(lambda: os.unlink(path)),
    "replace": tried(lambda: os.rename(own, path)),
    "move": tried(lambda: os.rename(path, path + "x")),
    "mode": tried(lambda: os.chmod(path, 0o666)),
    "put beside": tried(lambda: socket.socket(socket.AF_UNIX).bind(os.path.dirname(path) + "/1.sock")),
}))
`;

describe('the sockets of the workers of two Unix users (needs root)', function () {
  this.timeout(120_000);
  let gateway: TaskIdentityGateway;
  let client: TaskTokenClient;
  let others: PlaceForOthers;
  const runs = {} as Record<User, CreatedRun>;

  before(async function () {
    const why = whyNoUsers();
    if (why !== undefined) {
      console.log(`    (skipped: ${why})`);
      return this.skip();
    }
    others = placeForOthers();
    const built = await buildGateway();
    const program = join(others.folder, 'sockets-program/plumbline.mjs');
    cpSync(dirname(built.program), dirname(program), { recursive: true });
    gateway = await TaskIdentityGateway.start({
      program,
      below: others.folder,
      python: pythonForOthers(others),
      config: {
        isolation: 'users',
        limits: { connections: CONNECTIONS, requestsPerCaller: 1_000_000, requestsPerAddress: 1_000_000 },
      },
      policy: (usual, served) => {
        chmodSync(served.folder, 0o711);
        const role = (user: User) => {
          const out = join(served.folder, user);
          mkdirSync(out, { mode: 0o700 });
          chownSync(out, USERS[user], USERS[user]);
          const taskIdentities = [{ tasks: ['First', 'Second'], identity: user }];
          const unixUser = `${USERS[user]}:${USERS[user]}`;
          return { ...usual.roles['etl'], unixUser, namespaces: [user], variables: { OUT: out }, taskIdentities };
        };
        const [sales] = Object.values(usual.identities) as [object];
        return {
          ...usual,
          identities: { alice: sales, bob: sales },
          roles: { alice: role('alice'), bob: role('bob') },
          bindings: bindingsOf(usual, ['alice', 'bob']),
        };
      },
    });
    client = new TaskTokenClient(gateway.served);
    assert.deepEqual(readdirSync(join(gateway.served.folder, 'runs/sockets')), ['new'], 'no worker, no socket');
    for (const user of ['alice', 'bob'] as const) runs[user] = await begun(user, 'through');
  });
  after(() => gateway?.close());

  const at = (user: User, name: string) => join(gateway.served.folder, user, name);
  const socketOf = (user: User) => gateway.workerSocket(USERS[user]);
  const as = (user: User) => ({ uid: USERS[user], gid: USERS[user], cwd: '/', env: { PATH: '/usr/bin:/bin' } });
  /** Its first task has its token; its second one gets one when the first may end. */
  async function begun(user: User, name: string): Promise<CreatedRun> {
    const run = await gateway.create('Second', { name }, { role: user });
    await gateway.served.until(() => existsSync(at(user, `began-First-${name}`)), 60_000);
    return run;
  }
  async function ends(user: User, run: CreatedRun, name: string): Promise<void> {
    writeFileSync(at(user, `open-${name}`), '');
    const { state, findings } = await gateway.outcomeOf(run);
    assert.equal(state, 'succeeded', JSON.stringify(findings));
  }
  /** As the worker of one user's run, by the socket of the other's or its own. */
  const exchange = (user: User, socket: User) => {
    const task = { task_family: 'First', task_id: 'First_through_0000000000' };
    const body = client.form(client.tokens.issue(`${runs[user].id}.1`), task);
    return bySocket(socketOf(socket), '/v1/token', body, { 'content-type': 'application/x-www-form-urlencoded' });
  };

  it('are of the gateway and for the group of one user', () => {
    for (const user of ['alice', 'bob'] as const) {
      const { uid, gid, mode } = statSync(socketOf(user));
      assert.deepEqual([uid, gid, mode & 0o777], [0, USERS[user], 0o660]);
    }
  });

  it('are connected to by their users alone, which do nothing else to them', async () => {
    const tries = async (user: User, socket: User) => {
      const { stdout } = await promisify(execFile)(
        others.python,
        ['-c', TRIES, socketOf(socket), at(user, 'own')],
        as(user),
      );
      return JSON.parse(stdout) as Record<string, string>;
    };
    for (const user of ['alice', 'bob'] as const) {
      const { connect, ...rest } = await tries(user, user);
      assert.equal(connect, 'done');
      for (const [what, came] of Object.entries(rest)) assert.match(came, /denied|not permitted/, what);
    }
    for (const came of Object.values(await tries('alice', 'bob'))) assert.match(came, /denied|not permitted/);
    assert.equal((await exchange('bob', 'bob')).status, 200);
  });

  it('take no token of a worker of somebody else, which is on record; the listener does', async () => {
    const refused = await exchange('bob', 'alice');
    const { error, reason } = JSON.parse(refused.text) as { error: string; reason: string };
    assert.deepEqual([refused.status, error, reason], [400, 'invalid_grant', 'other-user']);
    const record = gateway.audit('identity.rejected').at(-1);
    assert.equal(record?.subject, runs.bob.id);
    assert.deepEqual(
      [record?.data['reason'], record?.data['uid'], record?.data['worker']],
      ['other-user', USERS.alice, `${runs.bob.id}.1`],
    );
    for (const user of ['alice', 'bob'] as const) assert.equal((await exchange(user, user)).status, 200);
    const fields = { task_family: 'First', task_id: 'First_x_0000000000' };
    const subject_token = client.tokens.issue(`${runs.bob.id}.1`);
    assert.equal((await gateway.exchange({ ...fields, subject_token })).status, 200);
  });

  it("keep nobody waiting while another user's is full and flooded", async () => {
    const flood: ChildProcess = spawn(others.python, ['-c', FLOOD, socketOf('alice'), `${CONNECTIONS}`], {
      ...as('alice'),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const flooding = () => once(flood.stdout as NodeJS.ReadableStream, 'data');
    try {
      await flooding();
      for (let i = 0; i < 20; i += 1) assert.equal((await exchange('bob', 'bob')).status, 200);
      const run = await begun('bob', 'flooded');
      await flooding();
      await ends('bob', run, 'flooded');
      const ownOnes = await Promise.allSettled(Array.from({ length: 20 }, () => exchange('alice', 'alice')));
      assert.ok(
        ownOnes.some(({ status }) => status === 'rejected'),
        'it was full, of whoever filled it',
      );
      assert.equal(flood.exitCode, null);
    } finally {
      flood.kill('SIGKILL');
    }
    await gateway.served.until(() =>
      exchange('alice', 'alice').then(
        ({ status }) => status === 200,
        () => false,
      ),
    );
  });

  it('are where they were when a gateway that was killed comes back, for workers that go on', async () => {
    await gateway.served.stop('SIGKILL');
    await assert.rejects(exchange('bob', 'bob'), { code: 'ECONNREFUSED' });
    await gateway.served.start();
    for (const user of ['alice', 'bob'] as const) {
      assert.deepEqual([statSync(socketOf(user)).gid, (await exchange(user, user)).status], [USERS[user], 200]);
      await ends(user, runs[user], 'through');
    }
    await gateway.served.stop();
    assert.deepEqual(readdirSync(join(gateway.served.folder, 'runs/sockets')), ['new']);
  });
});
