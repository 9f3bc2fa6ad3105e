import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GatewayConfig } from '#gateway/config/gateway-config.ts';
import { checkLuigidSocket, luigidSocketProblem } from '#gateway/luigid-socket-problem.ts';
import { failure } from '../../support/plumbline-failure.ts';

const SOMEBODY = 4_711;

describe('the socket of luigid', () => {
  let folder: string;
  let path: string;
  let server: Server;
  beforeEach(async () => {
    folder = join(mkdtempSync(join(tmpdir(), 'luigid-')), 'run');
    path = join(folder, 'luigid.sock');
    mkdirSync(folder, { mode: 0o700 });
    server = createServer();
    await new Promise<void>((listening) => server.listen(path, listening));
  });
  afterEach(async () => {
    await new Promise((closed) => server.close(closed));
    rmSync(join(folder, '..'), { recursive: true });
  });

  it("is the gateway's alone in a folder of its own, whatever its mode is", () => {
    chmodSync(path, 0o777);
    assert.equal(luigidSocketProblem(path), undefined);
  });

  it("is the gateway's alone in a folder of others when nobody else may connect", () => {
    chmodSync(folder, 0o755);
    chmodSync(path, 0o600);
    assert.equal(luigidSocketProblem(path), undefined);
    for (const mode of [0o602, 0o620, 0o666, 0o777]) {
      chmodSync(path, mode);
      assert.match(luigidSocketProblem(path) ?? '', /other users may connect to it/, mode.toString(8));
    }
  });

  it('is not, where others may put another one in its place', () => {
    chmodSync(path, 0o600);
    for (const mode of [0o770, 0o707, 0o777, 0o1777]) {
      chmodSync(folder, mode);
      assert.match(luigidSocketProblem(path) ?? '', /others may write to its folder/, mode.toString(8));
    }
  });

  it('is not, in the folder of another user than the one that runs luigid (needs root)', function () {
    if (process.geteuid?.() !== 0) this.skip();
    chownSync(folder, SOMEBODY, SOMEBODY);
    assert.match(luigidSocketProblem(path) ?? '', /belongs to another user/);
    chownSync(path, SOMEBODY, SOMEBODY);
    assert.equal(luigidSocketProblem(path), undefined);
  });

  it('is no socket when something else has its name; one that is not there yet is no problem', () => {
    const other = join(folder, 'other');
    assert.equal(luigidSocketProblem(other), undefined);
    assert.equal(luigidSocketProblem(join(folder, 'nowhere/luigid.sock')), undefined);
    writeFileSync(other, '');
    assert.match(luigidSocketProblem(other) ?? '', /no socket/);
  });

  it('stops a gateway at its start, with what to do', () => {
    const config = (upstream: object) => ({ luigid: { proxied: true, upstream } }) as unknown as GatewayConfig;
    chmodSync(folder, 0o777);
    assert.throws(
      () => checkLuigidSocket(config({ kind: 'socket', path })),
      failure('ERR_CONFIG_INVALID', /is not the gateway's alone: others may write/),
    );
    checkLuigidSocket(config({ kind: 'url', url: 'http://127.0.0.1:8082' }));
  });
});
