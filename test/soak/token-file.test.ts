import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '#core/clock.ts';
import type { FederatedIdentity } from '#identity/connection-identity.ts';
import { type RenewalProblem, startTokenFile } from '#identity/token-file.ts';
import type { FaultDeclaration } from '#local-azure/declaration.ts';
import { agentJob } from '../support/agent-job.ts';
import { ask } from '../support/azure-wire.ts';
import {
  type StartedJob,
  sampleDeclaration,
  startJob,
  TENANT,
  VAULT,
  WORKFLOW_CLIENT,
} from '../support/local-azure.ts';
import { say } from '../support/soak.ts';

const HOURS = 6;
const VAULT_SCOPE = 'https://vault.azure.net/.default';

/** Time in which nothing happens but what somebody sleeps for. */
class SimulatedClock implements Clock {
  readonly start = Date.now();
  #now = this.start;
  #sleepers: { readonly due: number; readonly wake: () => void }[] = [];
  #asleep: (() => void) | undefined;

  get hours(): number {
    return (this.#now - this.start) / 3_600_000;
  }

  now(): number {
    return this.#now;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const sleeper = { due: this.#now + ms, wake: resolve };
      this.#sleepers.push(sleeper);
      signal?.addEventListener('abort', () => {
        this.#sleepers = this.#sleepers.filter((one) => one !== sleeper);
        reject(signal.reason);
      });
      this.#asleep?.();
    });
  }

  /** Goes on to the moment at which the first sleeper wakes, and waits until somebody sleeps again. */
  async step(): Promise<void> {
    const [first] = this.#sleepers.sort((a, b) => a.due - b.due);
    assert.ok(first, 'nobody sleeps');
    this.#sleepers.shift();
    this.#now = Math.max(this.#now, first.due);
    const asleep = new Promise<void>((resolve) => {
      this.#asleep = resolve;
    });
    first.wake();
    if (this.#sleepers.length === 0) await asleep;
    this.#asleep = undefined;
  }
}

const OUTAGE: FaultDeclaration = {
  host: 'dev.azure.com',
  path: '*oidctoken*',
  kind: 'status',
  status: 503,
  skip: 100,
  count: 12,
};

/** Hours of a run whose user code signs in with the token file once a minute; what went on meanwhile. */
class SimulatedRun {
  readonly problems: RenewalProblem[] = [];
  readonly tokens = new Set<string>();
  /** Seconds that the token in the file still lived when it was read. */
  readonly lives: number[] = [];
  signIns = 0;
  refusals = 0;
  readonly clock = new SimulatedClock();
  readonly #lifetime: number;
  readonly #faults: readonly FaultDeclaration[];

  constructor(lifetime: number, faults: readonly FaultDeclaration[] = []) {
    this.#lifetime = lifetime;
    this.#faults = faults;
  }

  async run(): Promise<void> {
    const directory = await mkdtemp(join(tmpdir(), 'plumbline-token-soak-'));
    const lifetimes = { jobToken: 86_400, idToken: this.#lifetime, accessToken: 300 };
    const job = await startJob(sampleDeclaration({ lifetimes, faults: this.#faults }), { clock: this.clock });
    try {
      const identity = agentJob(job, this.clock).identity('azure-old') as FederatedIdentity;
      const report = (problem: RenewalProblem) => void this.problems.push(problem);
      const { file, stop } = await startTokenFile({ identity, directory, clock: this.clock, report });
      while (this.clock.hours < HOURS) await this.#minute(job, file);
      await stop();
      assert.deepEqual(await readdir(directory), []);
    } finally {
      await job.azure.close();
      await rm(directory, { recursive: true, force: true });
    }
  }

  async #minute(job: StartedJob, file: string): Promise<void> {
    await this.clock.step();
    const token = await readFile(file, 'utf8');
    this.tokens.add(token);
    const { exp } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { exp: number };
    const life = exp - this.clock.now() / 1_000;
    this.lives.push(life);
    const status = await signIn(job, token);
    if (status === 200) this.signIns += 1;
    else this.refusals += 1;
    assert.equal(status === 200, life > 0, `${life} s to live, and the answer was ${status}`);
  }
}

/** As user code does: the token for an access token, and that for a secret. */
async function signIn({ azure }: StartedJob, assertion: string): Promise<number> {
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    client_id: WORKFLOW_CLIENT,
    scope: VAULT_SCOPE,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
  });
  const answer = await ask(azure, `https://login.microsoftonline.com/${TENANT}/oauth2/v2.0/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: form.toString(),
  });
  if (answer.status !== 200) return answer.status;
  const { access_token: token } = JSON.parse(answer.body) as { access_token: string };
  const secret = await ask(azure, `${VAULT}/secrets/plain?api-version=7.5`, {
    headers: { authorization: `Bearer ${token}` },
  });
  assert.equal(secret.status, 200, secret.body);
  return 200;
}

describe(`the token file of user code over ${HOURS} hours`, () => {
  for (const lifetime of [600, 150]) {
    it(`always holds a token that Entra takes (tokens of ${lifetime} s)`, async () => {
      const run = new SimulatedRun(lifetime);
      await run.run();
      say(
        `${run.tokens.size} tokens, ${run.signIns} sign-ins, at least ${Math.round(Math.min(...run.lives))} s to live`,
      );
      assert.deepEqual([run.problems, run.refusals], [[], 0]);
      assert.ok(run.tokens.size >= HOURS * 60);
      assert.ok(Math.min(...run.lives) >= lifetime - 61);
    });
  }

  it('holds one again after an outage, which is told once, and once more when the token has expired', async () => {
    const run = new SimulatedRun(150, [OUTAGE]);
    await run.run();
    say(`${run.tokens.size} tokens, ${run.signIns} sign-ins, ${run.refusals} refused while the service was away`);
    assert.deepEqual(
      run.problems.map(({ expired }) => expired),
      [false, true],
    );
    assert.ok(run.refusals > 0 && run.refusals <= 12, 'refused only while the file held an old token');
    assert.ok((run.lives.at(-1) ?? 0) > 0);
  });
});
