import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Secret } from '#core/secret.ts';
import { AttemptFolder } from '#gateway/launch/attempt-folder.ts';
import { gatewayAccess, gatewaySecrets, gatewayVariables } from '#gateway/launch/gateway-access.ts';
import { folderForOthers } from '../../../support/place-for-others.ts';

const NOBODY = { name: 'nobody', uid: 65_534, gid: 65_534, home: '/nonexistent' };

describe("the folder of an attempt, when its worker was killed with its tasks' tokens in it", () => {
  let runs: string;
  beforeEach(async () => {
    runs = process.geteuid?.() === 0 ? folderForOthers('attempts-') : mkdtempSync(join(tmpdir(), 'attempts-'));
    await chmod(runs, 0o711);
  });
  afterEach(() => rmSync(runs, { recursive: true, force: true }));

  const made = async (user?: typeof NOBODY) => {
    const folder = new AttemptFolder(runs, 'run.1', user);
    closeSync(await folder.make());
    return folder;
  };

  it('loses them and nothing else', async () => {
    const folder = await made();
    assert.ok(await folder.removeIdentities(), 'there are none');
    const task = join(folder.path, 'identity/0a1b');
    mkdirSync(task, { recursive: true });
    writeFileSync(join(task, 'azure'), 'token');
    assert.ok(await folder.removeIdentities());
    assert.ok(!existsSync(join(folder.path, 'identity')));
    assert.ok(existsSync(folder.events));
  });

  it('loses them by the hand of its own user, whatever it made of them (needs root)', async function () {
    if (process.geteuid?.() !== 0) this.skip();
    const outside = join(runs, 'outside');
    mkdirSync(outside, { mode: 0o755 });
    writeFileSync(join(outside, 'kept'), 'kept');
    const as = (script: string, cwd: string) =>
      execFileSync('/bin/sh', ['-c', script], {
        uid: NOBODY.uid,
        gid: NOBODY.gid,
        cwd,
        env: { PATH: '/usr/bin:/bin' },
      });
    const hostile = [
      `ln -s ${outside} identity`,
      `mkdir -p identity/a && ln -s ${outside} identity/a/link && echo x > identity/a/t && chmod 000 identity/a identity`,
      'mkdir -p identity/a/b && echo x > identity/a/b/t && chmod 500 identity/a identity/a/b',
      'echo x > identity && chmod 000 identity',
    ];
    for (const script of hostile) {
      const folder = await made(NOBODY);
      as(script, folder.path);
      assert.ok(await folder.removeIdentities(), script);
      assert.equal(readFileSync(join(outside, 'kept'), 'utf8'), 'kept');
      rmSync(folder.path, { recursive: true });
    }
    const folder = await made(NOBODY);
    as('mkdir identity && echo x > identity/t', folder.path);
    as('chmod 500 .', folder.path);
    assert.equal(await folder.removeIdentities(), false, 'the folder stays, its files do not');
    assert.ok(!existsSync(join(folder.path, 'identity/t')));
  });

  it('never held what proves the worker to the gateway: that goes by standard input alone', () => {
    const [token, password] = [new Secret('plw_x'), new Secret('pls_y')];
    const url = new Secret('http://id:pls_y@127.0.0.1:8080/luigid');
    const stock = { workerId: 'id', schedulerUrl: url, password };
    const gateway = { token, identities: true, luigid: true, timeoutSeconds: 60, stock };
    assert.deepEqual(gatewayAccess(gateway, '/s'), {
      socket: '/s',
      token: 'plw_x',
      identities: true,
      luigid: true,
      timeoutSeconds: 60,
    });
    assert.deepEqual(gatewayVariables(gateway), { PLUMBLINE_SCHEDULER_URL: url.reveal(), PLUMBLINE_WORKER_ID: 'id' });
    const { stock: _, ...own } = gateway;
    assert.deepEqual(gatewayVariables(own), {});
    const hidden = gatewaySecrets(gateway).map((secret) => secret.reveal());
    assert.deepEqual(hidden, ['plw_x', 'pls_y', Buffer.from('id:pls_y').toString('base64')]);
  });
});
