import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { UserSockets } from '#gateway/app/user-sockets.ts';
import { whyNoUsers } from '#gateway/launch/switching-users.ts';
import { folderForOthers, placeForOthers } from '../../../support/place-for-others.ts';
import { failure } from '../../../support/plumbline-failure.ts';
import { bySocket } from '../../../support/task-token-client.ts';
import { LIMITS, TIMEOUTS } from './gateway-world.ts';

const SERVER = { limits: LIMITS, timeouts: TIMEOUTS };
const OWN = process.geteuid?.() ?? 0;
const user = (uid: number, gid = uid) => ({ name: `${uid}:${gid}`, uid, gid });
const CONNECT = `
import socket, sys
try:
    socket.socket(socket.AF_UNIX).connect(sys.argv[1])
    print("in")
except OSError as e:
    print(e.strerror)
`;
const named =
  (uid: number): RequestListener =>
  (_, response) =>
    response.end(`of ${uid}`);

describe('sockets of workers, one for each Unix user', () => {
  let runs: string;
  let open: UserSockets[];
  beforeEach(() => {
    runs = process.geteuid?.() === 0 ? folderForOthers('sockets-') : mkdtempSync(join(tmpdir(), 'sockets-'));
    chmodSync(runs, 0o711);
    open = [];
  });
  afterEach(async () => {
    for (const sockets of open) {
      sockets.cut();
      await sockets.close();
    }
    rmSync(runs, { recursive: true });
  });

  const opened = async () => {
    const sockets = new UserSockets(runs, SERVER);
    await sockets.open();
    open.push(sockets);
    return sockets;
  };
  const modeOf = (path: string) => statSync(path).mode & 0o777;

  it("are made when the first worker needs one; the gateway's own is for it alone", async () => {
    const umask = process.umask(0o077);
    const sockets = await opened().finally(() => process.umask(umask));
    assert.equal(modeOf(join(runs, 'sockets')), 0o711);
    assert.equal(modeOf(join(runs, 'sockets/new')), 0o700);
    assert.deepEqual(readdirSync(join(runs, 'sockets')), ['new']);
    const [path, same] = await Promise.all([sockets.pathFor(undefined), sockets.pathFor(undefined)]);
    assert.deepEqual([path, same], [join(runs, `sockets/${OWN}.sock`), path]);
    assert.equal(modeOf(path), 0o600);
  });

  it('ask to come again until the gateway answers, and then know whose they are', async () => {
    const sockets = await opened();
    const path = await sockets.pathFor(undefined);
    const early = await bySocket(path, '/v1/token');
    assert.deepEqual(
      [early.status, early.headers['retry-after'], JSON.parse(early.text).code],
      [503, '1', 'not-ready'],
    );
    let asked = 0;
    sockets.serve((uid) => {
      asked += 1;
      return named(uid);
    });
    for (let i = 0; i < 3; i += 1) assert.equal((await bySocket(path, '/')).text, `of ${OWN}`);
    assert.equal(asked, 1);
  });

  it('are gone when they are closed; whoever is launched then is told the path all the same', async () => {
    const sockets = await opened();
    const path = await sockets.pathFor(undefined);
    await sockets.close();
    assert.ok(!existsSync(path));
    assert.equal(await sockets.pathFor(undefined), path);
    assert.ok(!existsSync(path));
    const next = await opened();
    await next.pathFor(undefined);
    await sockets.close();
    assert.ok(existsSync(path), 'it is the next one that listens there');
  });

  it('of a dead gateway are removed; one that lives is left alone', async () => {
    await opened();
    const stale = join(runs, 'sockets/61009.sock');
    const script = `require('net').createServer().listen(${JSON.stringify(stale)}, () => process.kill(process.pid, 'SIGKILL'))`;
    spawnSync(process.execPath, ['-e', script]);
    assert.ok(existsSync(stale));
    const sockets = await opened();
    assert.ok(!existsSync(stale));
    sockets.serve(named);
    const path = await sockets.pathFor(undefined);
    const other = new UserSockets(runs, SERVER);
    await assert.rejects(other.open(), failure('ERR_CONFIG_INVALID', /another gateway listens there/));
    assert.equal((await bySocket(path, '/')).text, `of ${OWN}`);
  });

  it('are made again after what was in the way has gone', async () => {
    const sockets = await opened();
    const path = join(runs, `sockets/${OWN}.sock`);
    writeFileSync(path, 'x');
    await assert.rejects(sockets.pathFor(undefined), failure('ERR_CONFIG_INVALID', /something else has this name/));
    const other = new UserSockets(runs, SERVER);
    await assert.rejects(other.open(), failure('ERR_CONFIG_INVALID', /something else has this name/));
    rmSync(path);
    assert.equal(await sockets.pathFor(undefined), path);
  });

  it('have paths that the system takes, whoever the user is', () => {
    const longest = join('/', 'x'.repeat(107 - 1 - '/sockets/new/4294967294.sock'.length));
    assert.ok(new UserSockets(longest, SERVER));
    for (const over of [`${longest}x`, longest.replace('x', 'ä')])
      assert.throws(() => new UserSockets(over, SERVER), failure('ERR_CONFIG_INVALID', /can have 1 more/));
  });

  it('let in the group of their user and nobody else (needs root)', async function () {
    const why = whyNoUsers();
    if (why !== undefined) return this.skip();
    const sockets = await opened();
    sockets.serve(named);
    const path = await sockets.pathFor(user(61_001, 61_101));
    const { uid, gid } = statSync(path);
    assert.deepEqual([uid, gid, modeOf(path)], [OWN, 61_101, 0o660]);
    const { python } = placeForOthers();
    // The event loop must be free to accept.
    const connects = async (ids: { uid: number; gid: number }) =>
      (await promisify(execFile)(python, ['-c', CONNECT, path], { ...ids, cwd: '/' })).stdout.trim();
    assert.equal(await connects(user(61_001, 61_101)), 'in');
    assert.equal(await connects(user(61_002, 61_101)), 'in', 'a group that is shared');
    assert.equal(await connects(user(61_001)), 'Permission denied');
    assert.equal(await connects(user(61_002)), 'Permission denied');
    await assert.rejects(
      sockets.pathFor(user(61_001, 61_102)),
      failure('ERR_UNIX_USER_INVALID', /have another group than 61102/),
    );
    assert.equal(await sockets.pathFor(user(61_001, 61_101)), path);
  });
});
