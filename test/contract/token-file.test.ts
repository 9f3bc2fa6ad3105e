import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Clock } from '#core/clock.ts';
import type { FederatedIdentity } from '#identity/connection-identity.ts';
import { type RenewalProblem, startTokenFile, variablesBeforeTokenFile } from '#identity/token-file.ts';
import { agentJob } from '../support/agent-job.ts';
import { JOB, type StartedJob, sampleDeclaration, startJob, TENANT, WORKFLOW_CLIENT } from '../support/local-azure.ts';

/** Time that passes only when the test says so; `tick` ends the sleep that is going on and waits for the next. */
function steppedClock(): Clock & { tick(): Promise<void> } {
  let now = Date.now();
  let wake: (() => void) | undefined;
  let asleep: (() => void) | undefined;
  const sleeping = () =>
    new Promise<void>((resolve) => {
      if (wake) resolve();
      else asleep = resolve;
    });
  return {
    now: () => now,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        const stop = () => reject(signal?.reason);
        wake = () => {
          now += ms;
          wake = undefined;
          signal?.removeEventListener('abort', stop);
          resolve();
        };
        signal?.addEventListener('abort', stop, { once: true });
        asleep?.();
      }),
    tick: async () => {
      await sleeping();
      wake?.();
      await sleeping();
    },
  };
}

describe('the token file of user code', () => {
  let directory: string;
  let job: StartedJob;
  let problems: RenewalProblem[];
  let clock: ReturnType<typeof steppedClock>;

  const start = () => {
    const identity = agentJob(job).identity('azure-old') as FederatedIdentity;
    return startTokenFile({ identity, directory, clock, report: (problem) => problems.push(problem) });
  };

  beforeEach(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'plumbline-token-file-'));
    job = await startJob(sampleDeclaration({ lifetimes: { jobToken: 86_400 } }));
    problems = [];
    clock = steppedClock();
  });
  afterEach(async () => {
    await job.azure.close();
    await rm(directory, { recursive: true, force: true });
  });

  it('holds an ID token that only this user may read, and the environment that leads to it', async () => {
    const { file, environment, stop } = await start();
    assert.equal((await readFile(file, 'utf8')).split('.').length, 3);
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    assert.deepEqual(environment, {
      AZURE_FEDERATED_TOKEN_FILE: file,
      AZURE_CLIENT_ID: WORKFLOW_CLIENT,
      AZURE_TENANT_ID: TENANT,
      AZURE_AUTHORITY_HOST: 'https://login.microsoftonline.com/',
    });
    await stop();
  });

  it('is renewed every minute and removed at the end', async () => {
    const { file, stop } = await start();
    const tokens = new Set([await readFile(file, 'utf8')]);
    for (let minute = 0; minute < 3; minute++) {
      await clock.tick();
      tokens.add(await readFile(file, 'utf8'));
    }
    assert.equal(tokens.size, 4);
    assert.deepEqual(await readdir(path.dirname(file)), ['token'], 'nothing is left beside it');
    await stop();
    assert.deepEqual(await readdir(directory), []);
    assert.deepEqual(problems, []);
  });

  it('reports a renewal that fails once, keeps the last token, and reports again when it has expired', async () => {
    const { file, stop } = await start();
    const last = await readFile(file, 'utf8');
    job.azure.endJob(JOB);
    await clock.tick();
    await clock.tick();
    assert.deepEqual(
      problems.map(({ expired, error }) => [expired, error.code]),
      [[false, 'ERR_IDENTITY_OIDC_UNAVAILABLE']],
    );
    assert.equal(await readFile(file, 'utf8'), last);
    for (let minute = 0; minute < 12; minute++) await clock.tick();
    assert.deepEqual(
      problems.map(({ expired }) => expired),
      [false, true],
    );
    assert.match(problems[1]?.error.message ?? '', /token has expired: Cannot get an ID token/);
    await stop();
  });

  it('does not start without a first token', async () => {
    job.azure.endJob(JOB);
    await assert.rejects(start(), { code: 'ERR_IDENTITY_OIDC_UNAVAILABLE' });
    assert.deepEqual(await readdir(directory), []);
  });
});

describe('variablesBeforeTokenFile', () => {
  it('names what DefaultAzureCredential would take first', () => {
    assert.deepEqual(variablesBeforeTokenFile({ AZURE_CLIENT_SECRET: 'x', AZURE_CLIENT_ID: 'y', AZURE_USERNAME: '' }), [
      'AZURE_CLIENT_SECRET',
    ]);
  });
});
