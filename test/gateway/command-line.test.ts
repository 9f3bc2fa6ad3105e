import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { loadAuditKeys } from '#gateway/audit/audit-keys.ts';
import { openAuditLog } from '#gateway/audit/open-audit-log.ts';
import { Store } from '#gateway/store/store.ts';
import { buildGateway } from '../../scripts/build-gateway.ts';
import { packagedNode } from '../../scripts/node-packages.mjs';
import { ROOT } from '../../scripts/repository.ts';

const POLICY = resolve(ROOT, 'examples/gateway/policy.yaml');

const ESCAPE = '\u001b';

describe('plumbline as a program', () => {
  let program: string;
  let folder: string;

  before(async () => {
    ({ program } = await buildGateway());
  });
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'plumbline-cli-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  function plumbline(args: readonly string[], { input = '', env = {} } = {}) {
    const options = { encoding: 'utf8', input, cwd: folder, env: { PATH: process.env['PATH'], ...env } } as const;
    return spawnSync(process.execPath, [program, ...args], options);
  }

  it('writes answers to its output and errors beside it, without colours into a pipe', () => {
    const good = plumbline(['policy', 'check', POLICY]);
    assert.deepEqual([good.status, good.stderr], [0, '']);
    assert.ok(!good.stdout.includes(ESCAPE));
    const missing = plumbline(['policy', 'check', 'nowhere.yaml']);
    assert.deepEqual([missing.status, missing.stdout], [1, '']);
    assert.match(missing.stderr, /^ERR_FILE_UNREADABLE: Cannot read nowhere\.yaml: there is no such file/);
    assert.equal(plumbline(['policy']).status, 64);
    const group = plumbline(['policy', '--help']);
    assert.deepEqual([group.status, group.stderr], [0, '']);
    assert.match(group.stdout, /^usage: plumbline policy COMMAND …\n\n {2}policy check /);
    assert.doesNotMatch(group.stdout, /gateway serve/);
  });

  it('says which Node it needs (needs the packaged Node 20)', function () {
    const older = packagedNode(ROOT, 20);
    if (older === undefined) return this.skip();
    const { status, stderr } = spawnSync(older, [program, '--version'], { encoding: 'utf8' });
    assert.equal(status, 1);
    assert.match(stderr, /^plumbline needs Node 24 or newer as node in PATH; this is v20\./);
  });

  it('shows colours to whoever forces them', () => {
    const { stdout } = plumbline(['policy', 'check', POLICY], { env: { FORCE_COLOR: '1' } });
    assert.ok(stdout.includes(`${ESCAPE}[32mgood`), stdout);
  });

  it('reads a token from standard input', () => {
    const { status, stdout } = plumbline(['token', 'explain', '--policy', POLICY], { input: 'no token at all\n' });
    assert.equal(status, 2);
    assert.match(stdout, /^token: refused/);
    assert.doesNotMatch(stdout, /no token at all/);
  });

  it('ends quietly when nobody reads on', async () => {
    const child = spawn(process.execPath, [program, 'policy', 'schema'], { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.destroy();
    let errors = '';
    child.stderr.setEncoding('utf8').on('data', (text) => {
      errors += text;
    });
    await new Promise((done) => child.on('close', done));
    assert.equal(errors, '');
  });

  it('copies a store that its owner goes on using, and knows a good copy from a damaged one', async () => {
    const state = join(folder, 'state');
    const config = join(folder, 'gateway.yaml');
    const lines = [
      'apiVersion: plumbline.dev/gateway/v1',
      'stateDirectory: state',
      'runsDirectory: runs',
      'policyFile: p.yaml',
    ];
    writeFileSync(config, lines.join('\n'));
    mkdirSync(state, { mode: 0o700 });
    const store = await Store.open(join(state, 'store.sqlite'));
    try {
      const copy = join(folder, 'copy.sqlite');
      const done = plumbline(['store', 'backup', copy, '--config', config, '--json']);
      assert.equal(done.status, 0, done.stderr);
      assert.deepEqual(JSON.parse(done.stdout).runs, 0);
      assert.equal(statSync(copy).mode & 0o777, 0o600);
      assert.equal(plumbline(['store', 'check', copy]).status, 0);
      const again = plumbline(['store', 'backup', copy, '--config', config]);
      assert.equal(again.status, 1);
      assert.match(again.stderr, /it is there already/);
      await store.check();
      const bytes = readFileSync(copy);
      writeFileSync(copy, bytes.fill(0xff, 4096, 8192));
      assert.equal(plumbline(['store', 'check', copy]).status, 2);
    } finally {
      await store.close();
    }
  });

  it('verifies a log with its exported checkpoints, and finds one changed byte', async () => {
    const directory = join(folder, 'state/audit');
    const exportDirectory = join(folder, 'exported');
    mkdirSync(exportDirectory);
    const keys = await loadAuditKeys({ directory: join(folder, 'state/keys') });
    const log = await openAuditLog({ directory, keys, checkpoint: { exportDirectory } });
    for (let i = 0; i < 20; i++)
      await log.append({ type: 'dev.plumbline.policy.loaded', subject: `s${i}`, data: { i } });
    await log.checkpoint();
    await log.close();
    const publicKey = join(folder, 'kept-elsewhere.pub');
    writeFileSync(publicKey, `# of the gateway\n${keys.verifierKey}\n`);
    const verify = ['audit', 'verify', directory, '--checkpoints', exportDirectory, '--public-key', publicKey];
    const intact = plumbline(verify);
    assert.equal(intact.status, 0, intact.stdout + intact.stderr);
    assert.match(intact.stdout, /intact/);
    const beside = plumbline(verify.slice(0, 3));
    assert.match(beside.stdout, /The public key was read beside the log/);
    const [name = ''] = readdirSync(directory).filter((one) => one.endsWith('.jsonl'));
    const bytes = readFileSync(join(directory, name));
    bytes[bytes.indexOf('s7')] = 0x74;
    writeFileSync(join(directory, name), bytes);
    const damaged = plumbline([...verify, '--json']);
    assert.equal(damaged.status, 2);
    assert.equal(JSON.parse(damaged.stdout).verdict, 'damaged');
    assert.equal('exitCode' in JSON.parse(damaged.stdout), false, 'the status of the process is the only one');
    assert.match(plumbline(['audit', 'verify', join(folder, 'nowhere')]).stderr, /it is not there.* or a copy of it/);
  });

  it('reports what a log holds, as a table, JSON and CSV', async () => {
    const directory = join(folder, 'audit');
    const log = await openAuditLog({ directory, keys: await loadAuditKeys({ directory: join(folder, 'keys') }) });
    await log.append({
      type: 'dev.plumbline.run.denied',
      data: { decision: { allowed: false, policy: 'f'.repeat(64) }, role: 'payroll' },
    });
    await log.close();
    for (const format of ['table', 'json', 'csv']) {
      const report = plumbline(['audit', 'report', directory, '--format', format]);
      assert.equal(report.status, 0, report.stderr);
      assert.match(report.stdout, /payroll/, format);
    }
    const other = plumbline(['audit', 'report', directory, '--where', 'role=sales', '--json']);
    assert.deepEqual(JSON.parse(other.stdout).rows, []);
    assert.deepEqual(
      JSON.parse(plumbline(['audit', 'report', directory, '--to', '2020-01-01', '--json']).stdout).rows,
      [],
    );
    assert.equal(plumbline(['audit', 'report', directory, '--from', 'yesterday']).status, 64);
    assert.equal(plumbline(['audit', 'report', directory, '--where', 'colour=red']).status, 64);
  });
});
