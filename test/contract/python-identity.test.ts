import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Clock, systemClock } from '#core/clock.ts';
import type { FederatedIdentity } from '#identity/connection-identity.ts';
import { startTokenFile } from '#identity/token-file.ts';
import { agentJob } from '../support/agent-job.ts';
import { type StartedJob, sampleDeclaration, startJob, VAULT } from '../support/local-azure.ts';

const ENVIRONMENTS = fileURLToPath(new URL('../../.cache/python', import.meta.url));
const SCRIPT = fileURLToPath(new URL('../support/read-secrets.py', import.meta.url));
/** Seconds that an ID token lives here; user code comes back after more than that. */
const TOKEN_LIFE_S = 2;
const hurried: Clock = { now: systemClock.now, sleep: (_, signal) => systemClock.sleep(200, signal) };

function pythons(): string[] {
  const names = existsSync(ENVIRONMENTS) ? readdirSync(ENVIRONMENTS) : [];
  return names.filter((name) => /^clouds-\d/.test(name)).map((name) => path.join(ENVIRONMENTS, name, 'bin', 'python'));
}

describe("user code with Python's DefaultAzureCredential", function () {
  this.timeout(60_000);
  let directory: string;
  let job: StartedJob;

  before(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'plumbline-python-'));
    job = await startJob(sampleDeclaration({ lifetimes: { idToken: TOKEN_LIFE_S } }));
  });
  after(async () => {
    await job.azure.close();
    await rm(directory, { recursive: true, force: true });
  });

  const run = (python: string, environment: Readonly<Record<string, string>>, pauseSeconds: number) =>
    promisify(execFile)(python, [SCRIPT, VAULT, String(pauseSeconds)], {
      env: {
        PATH: process.env['PATH'] ?? '',
        HOME: directory,
        HTTPS_PROXY: job.azure.proxyUrl,
        REQUESTS_CA_BUNDLE: job.azure.caFile,
        ...environment,
      },
    });

  it('reads secrets with the token file, also when the first token has long expired', async () => {
    const found = pythons();
    assert.ok(found.length > 0, 'set-up made an environment with azure-identity');
    const [python = ''] = found.slice(-1);
    const identity = agentJob(job).identity('azure-old') as FederatedIdentity;
    const problems: unknown[] = [];
    const { environment, stop } = await startTokenFile({
      identity,
      directory,
      clock: hurried,
      report: (problem) => problems.push(problem),
    });
    try {
      const { stdout } = await run(python, environment, TOKEN_LIFE_S + 1);
      assert.deepEqual(JSON.parse(stdout), ['grün', 'grün']);
    } finally {
      await stop();
    }
    assert.deepEqual(problems, []);
    await assert.rejects(
      run(python, environment, 0),
      /FileNotFoundError|No such file|authentication/i,
      'gone with the run',
    );
  });
});
