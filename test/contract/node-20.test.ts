import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { TASK_NODES } from '../support/azure-client.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SUITES = [
  'test/unit/http/http.test.ts',
  'test/contract/key-vault.test.ts',
  'test/contract/azure-devops-records.test.ts',
];

/** Agents fall back to Node 20, where proxy, CA and abort behave differently: the same suites, bundled as tasks are. */
describe('Node 20', function () {
  this.timeout(120_000);
  let directory: string;

  before(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'plumbline-node-20-'));
  });
  after(() => rm(directory, { recursive: true, force: true }));

  it('reads secrets and publishes records behind a proxy with a private CA', async () => {
    const node = TASK_NODES.find(({ name }) => name === 'Node 20');
    assert.ok(node, 'Node 20 is installed with the optional dependencies');
    await build({
      absWorkingDir: ROOT,
      entryPoints: SUITES,
      outdir: directory,
      outExtension: { '.js': '.cjs' },
      bundle: true,
      platform: 'node',
      target: 'node20',
      format: 'cjs',
      logLevel: 'error',
    });
    const mocha = path.join(ROOT, 'node_modules/mocha/bin/mocha.js');
    const options = ['--no-config', '--recursive', '--extension', 'cjs', '--timeout', '20000', '--reporter', 'json'];
    const { stdout } = await promisify(execFile)(node.path, [mocha, ...options, directory], {
      cwd: ROOT,
      maxBuffer: 1 << 26,
    }).catch((failed: { stdout: string }) => failed);
    const { stats, failures } = JSON.parse(stdout.slice(stdout.indexOf('{'))) as {
      stats: { passes: number };
      failures: { fullTitle: string; err: { message: string } }[];
    };
    assert.deepEqual(
      failures.map(({ fullTitle, err }) => `${fullTitle}: ${err.message}`),
      [],
    );
    assert.ok(stats.passes > 30, `${stats.passes} tests ran`);
  });
});
