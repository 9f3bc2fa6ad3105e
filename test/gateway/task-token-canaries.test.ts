import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildGateway } from '../../scripts/build-gateway.ts';
import { filesUnder } from '../../scripts/repository.ts';
import { leaksOf, type Place, textsBelow } from '../support/leaks.ts';
import { type CreatedRun, TaskIdentityGateway } from '../support/task-identity-gateway.ts';

/** A token of a task, of a worker, of a run, or the password of a scheduler URL. */
const CREDENTIAL =
  /eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}|pl[wr]_[0-9a-f-]{36}\.\d+\.[\w-]{20,}|pls_[\w-]{20,}|-----BEGIN [A-Z ]*PRIVATE KEY/g;

/** What a task of hostile.py had. */
interface Canaries {
  readonly has: readonly string[];
  readonly pid: number;
  readonly parent: number;
  readonly argv: number;
}

describe('tokens of tasks and workers, keys and passwords are found nowhere but where they belong', function () {
  this.timeout(180_000);
  let temporary: string;
  let gateway: TaskIdentityGateway;
  const answers: Place[] = [];
  /** Arguments and environments, each once. */
  const shownByProcesses = new Set<string>();
  const known: string[] = [];
  let looking: NodeJS.Timeout;

  before(async () => {
    const { program } = await buildGateway();
    // Everything that is written for a while goes below one folder of the test.
    temporary = mkdtempSync(join(tmpdir(), 'plumbline-canaries-'));
    mkdirSync(join(temporary, 'tmp'));
    gateway = await TaskIdentityGateway.start({
      program,
      below: temporary,
      luigid: true,
      policy: (usual) => {
        const { etl = {} } = usual.roles;
        const variables = { ...(etl['variables'] as object), PYTHONFAULTHANDLER: '1' };
        const taskIdentities = [{ tasks: ['Shows'], identity: 'sales' }];
        return {
          ...usual,
          roles: { etl: { ...etl, modules: ['hostile'], variables, taskIdentities, stockLuigi: true } },
        };
      },
    });
    looking = setInterval(lookAtProcesses, 100);
  });
  after(async () => {
    clearInterval(looking);
    await gateway?.close();
    rmSync(temporary, { recursive: true, force: true });
  });

  /** What processes show to others: their arguments, and the environment that they began with. */
  function lookAtProcesses(): void {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      shownByProcesses.add(`arguments: ${read(`/proc/${pid}/cmdline`)}`);
      const environment = read(`/proc/${pid}/environ`);
      // The password of a scheduler URL is in the environment of the worker that it is for, and of its children.
      const ofRun = environment.includes('PLUMBLINE_RUN_ID=');
      const shown = ofRun ? environment.replace(/PLUMBLINE_SCHEDULER_URL=[^\0]*/, '') : environment;
      shownByProcesses.add(`environment: ${shown}`);
    }
  }

  async function shows(name: string, end: string): Promise<{ run: CreatedRun; canaries: Canaries }> {
    const run = await gateway.create('Shows', { name, end }, { module: 'hostile' });
    const path = gateway.place(`canaries-${name}`);
    await gateway.served.until(() => existsSync(path));
    const canaries = JSON.parse(readFileSync(path, 'utf8')) as Canaries;
    // The only place that may hold them: the task wrote it for this test.
    rmSync(path);
    assert.equal(canaries.has.length, 3, 'a task token, the token of its worker, a password');
    assert.equal(canaries.argv, 0, 'in no arguments and no environment of a process that began with it');
    known.push(...canaries.has);
    return { run, canaries };
  }

  async function endOf(run: CreatedRun, name: string): Promise<string> {
    const { state } = await gateway.outcomeOf(run, 90_000);
    for (const path of ['', '/events', '/logs', '/lineage', '/graph']) {
      const signal = AbortSignal.timeout(20_000);
      const answer = await gateway.served.request(`/v1/runs/${run.id}${path}`, run.runToken, { signal });
      answers.push({ place: `${name}: GET ${path}`, text: await answer.text() });
    }
    return state;
  }

  it('after a success', async () => {
    const { run } = await shows('a', 'succeeds');
    assert.equal(await endOf(run, 'a'), 'succeeded');
  });

  it('after an exception whose text is the token', async () => {
    const { run } = await shows('b', 'raises');
    assert.equal(await endOf(run, 'b'), 'failed');
  });

  it('after SIGABRT with a fault handler', async () => {
    const { run } = await shows('c', 'aborts');
    assert.equal(await endOf(run, 'c'), 'failed');
  });

  it('after a task that was killed', async () => {
    const { run } = await shows('d', 'killed');
    assert.equal(await endOf(run, 'd'), 'failed');
  });

  it('after a cancel', async () => {
    const { run } = await shows('e', 'waits');
    await gateway.cancel(run);
    assert.equal(await endOf(run, 'e'), 'cancelled');
  });

  it('after a worker that was killed', async () => {
    const { run } = await shows('f', 'kills worker');
    assert.notEqual(await endOf(run, 'f'), 'succeeded');
  });

  it('after a supervisor that was killed', async () => {
    const { run, canaries } = await shows('g', 'waits');
    process.kill(parentOf(canaries.parent), 'SIGKILL');
    assert.notEqual(await endOf(run, 'g'), 'succeeded');
  });

  it('after a gateway that was killed', async () => {
    const { run } = await shows('h', 'waits');
    await gateway.served.stop('SIGKILL');
    await gateway.served.start();
    gateway.open('h');
    await endOf(run, 'h');
  });

  it('not in the log of the gateway, the audit, the store, files of runs, what luigid keeps, answers, arguments, environments', async () => {
    await gateway.served.stop();
    await gateway.luigid?.terminate();
    const keys = join(gateway.served.folder, 'state/keys');
    const secretLines = filesUnder(keys)
      .map((name) => readFileSync(join(keys, name), 'utf8'))
      .filter((text) => text.includes('PRIVATE KEY'))
      .flatMap((text) => text.split('\n').filter((line) => line.length > 40 && !line.startsWith('---')));
    assert.ok(secretLines.length > 10, 'the issuer has a key');
    const files = textsBelow(temporary, (name) => name.includes('/state/keys/'));
    assert.ok(files.some(({ place }) => place.endsWith('luigid.pickle')) && files.length > 50);
    const places = [...files, ...answers, { place: 'log of the gateway', text: gateway.served.log }];
    const others = [...shownByProcesses].map((text) => ({ place: 'a process', text }));
    assert.equal(known.length, 24);
    const canaries = [...known, ...secretLines];
    assert.deepEqual(leaksOf(canaries, [...places, ...others]), []);
    // And what no task told of; processes of this machine may be somebody else's.
    const shown = places.flatMap(({ place, text }) =>
      [...text.matchAll(CREDENTIAL)]
        .filter(([found]) => !isOfTheTest(found))
        .map(([found]) => `${place}: ${found.slice(0, 12)}…`),
    );
    assert.deepEqual([...new Set(shown)], []);
    assert.equal(leaksOf(canaries, [{ place: 'planted', text: `x${known[0]}` }]).length, 1);
  });

  it('no file of a token is left, nor a folder for one', () => {
    const left = filesUnder(join(gateway.served.folder, 'runs')).filter((name) =>
      /token|credential|identit/i.test(name),
    );
    assert.deepEqual(left, []);
  });
});

/** The arguments and environment of the test's own processes hold none; tokens that it made itself do not count. */
function isOfTheTest(found: string): boolean {
  if (!found.startsWith('eyJ')) return false;
  const payload = JSON.parse(Buffer.from(found.split('.')[1] ?? '', 'base64url').toString()) as { iss?: string };
  return payload.iss === 'https://app.example.com';
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)$/m.exec(read(`/proc/${pid}/status`))?.[1]);
}

/** Empty when the process has gone. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
