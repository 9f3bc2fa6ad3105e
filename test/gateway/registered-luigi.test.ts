import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { ROOT } from '../../scripts/repository.ts';
import { startLuigidOnSocket } from '../../scripts/start-luigid.ts';
import { luigiPython } from '../support/luigi-scenario.ts';
import { ServedGateway } from '../support/served-gateway.ts';

const SCRIPT = resolve(ROOT, 'examples/gateway/registered-luigi.sh');
const ROLE = { scheduler: undefined, namespaces: [''], stockLuigi: true };

describe('examples/gateway/registered-luigi.sh', function () {
  this.timeout(60_000);
  const gateway = new ServedGateway({ config: { luigid: { socket: 'luigid.sock' } }, role: ROLE });
  const tokenFile = join(gateway.folder, 'token');
  let closeLuigid = async () => {};

  before(async () => {
    const luigid = await startLuigidOnSocket(gateway.folder, luigiPython(), join(gateway.folder, 'luigid.sock'));
    closeLuigid = luigid.close;
    await gateway.start();
    writeFileSync(tokenFile, `${gateway.token()}\n`, { mode: 0o600 });
  });
  after(async () => {
    await closeLuigid();
    await gateway.close();
  });

  function start(args: readonly string[]): { child: ChildProcess; output: () => string; ended: Promise<unknown> } {
    const child = spawn(SCRIPT, args, {
      cwd: gateway.out,
      env: {
        PATH: `${dirname(luigiPython())}:/usr/bin:/bin`,
        PLUMBLINE_GATEWAY: gateway.url,
        PLUMBLINE_TOKEN_FILE: tokenFile,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => (output += String(part)));
    return { child, output: () => output, ended: once(child, 'close').then(([status, signal]) => status ?? signal) };
  }

  const command = (...words: readonly string[]) => ['etl', 'tasks_here', 'Load', ...words];

  /** What became of the registrations, in order. */
  function registrations(): (string | undefined)[] {
    const own = gateway.audit().filter(({ type }) => type.startsWith('dev.plumbline.luigid.worker.'));
    return own.map(({ type, data }) => (type.endsWith('ended') ? String(data['reason']) : 'registered'));
  }

  it('ends as the command did, and the registration ends with it', async () => {
    const { ended, output } = start(command('sh', '-c', 'echo "$PLUMBLINE_WORKER_ID"; exit 7'));
    assert.equal(await ended, 7, output());
    assert.match(output(), /^[0-9a-f-]{36}\.0\n$/);
    assert.deepEqual(registrations().slice(-2), ['registered', 'ended']);
  });

  it('passes a signal on, waits for the command, and ends the registration', async () => {
    const { child, ended, output } = start(
      command('sh', '-c', 'trap "exit 9" TERM; touch began; while :; do sleep 0.1; done'),
    );
    await gateway.until(() => existsSync(join(gateway.out, 'began')));
    assert.equal(registrations().at(-1), 'registered');
    child.kill('SIGTERM');
    assert.equal(await ended, 9, output());
    assert.equal(registrations().at(-1), 'ended');
  });

  it('runs nothing when it is refused, and says why without the token', async () => {
    const { ended, output } = start(['etl', 'tasks_here', 'Forbidden', 'touch', 'ran']);
    assert.equal(await ended, 1);
    assert.match(output(), /did not register this worker: .*run-denied/);
    assert.equal(existsSync(join(gateway.out, 'ran')), false);
    assert.equal(output().includes(readFileSync(tokenFile, 'utf8').trim()), false);
  });

  it('asks for nothing without a token that it can read', async () => {
    const before = gateway.audit().length;
    rmSync(tokenFile);
    try {
      const { ended, output } = start(command('touch', 'ran'));
      assert.notEqual(await ended, 0);
      assert.match(output(), /token: No such file or directory/);
      assert.doesNotMatch(output(), /token-missing/);
      assert.equal(existsSync(join(gateway.out, 'ran')), false);
      assert.equal(gateway.audit().length, before);
    } finally {
      writeFileSync(tokenFile, `${gateway.token()}\n`, { mode: 0o600 });
    }
  });

  it('has neither token nor password in the arguments of any process', async () => {
    const seen = new Set<string>();
    const look = setInterval(() => {
      for (const line of argumentsHere()) seen.add(line);
    }, 2);
    const { ended, output } = start(command('sh', '-c', 'sleep 0.3; printf %s "$PLUMBLINE_SCHEDULER_URL" > url'));
    assert.equal(await ended, 0, output());
    clearInterval(look);
    const password = new URL(readFileSync(join(gateway.out, 'url'), 'utf8')).password;
    const secrets = [readFileSync(tokenFile, 'utf8').trim(), password];
    assert.ok(
      [...seen].some((line) => line.includes('/v1/luigid/workers')),
      'the request was seen',
    );
    for (const secret of secrets)
      assert.equal(
        [...seen].some((line) => line.includes(secret)),
        false,
      );
  });
});

function argumentsHere(): string[] {
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    try {
      return [readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')];
    } catch {
      // It has ended since.
      return [];
    }
  });
}
