import assert from 'node:assert/strict';
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { whyNoUsers } from '#gateway/launch/switching-users.ts';
import { buildGateway } from '../../scripts/build-gateway.ts';
import { placeForOthers } from '../support/place-for-others.ts';
import { type CreatedRun, TaskIdentityGateway } from '../support/task-identity-gateway.ts';
import { bindingsOf } from '../support/task-identity-policy.ts';
import { pythonForOthers } from '../support/task-identity-python.ts';

/** Two roles' users; they need not be in any user database. */
const USERS = { alice: 61_001, bob: 61_002 } as const;
const OWN_FAMILIES = ['Intruder', 'Plants', 'Moves', 'AfterMoves'];
const DENIED = /^(Permission denied|Operation not permitted)$/;

interface Answer {
  readonly status: number;
  readonly code?: string;
  readonly reason?: string;
}

/** What test/fixtures/task-identities/hostile.py writes down. */
interface Found {
  readonly paths: Record<string, string>;
  readonly folders: Record<string, string>;
  readonly writes: Record<string, string>;
  readonly sockets: Record<string, string>;
  readonly processes: Record<string, string>;
  readonly memory: Record<string, string>;
  readonly exchanges: Record<string, Answer>;
  readonly api: Record<string, Answer>;
  readonly luigid: Record<string, Answer>;
}

describe('a task that means harm, as the Unix user of its role (needs root)', function () {
  this.timeout(120_000);
  let gateway: TaskIdentityGateway;
  let victim: CreatedRun;
  let told: { pid: number; parent: number; file: string; worker: string; token: string };
  let found: Found;
  /** How the victim ended, when it has. */
  let ended: string | undefined;
  let plan: Record<string, unknown> & { paths: string[]; folders: string[]; sockets: string[]; processes: number[] };

  before(async function () {
    const why = whyNoUsers();
    if (why !== undefined) {
      console.log(`    (skipped: ${why})`);
      return this.skip();
    }
    const others = placeForOthers();
    const built = await buildGateway();
    const program = join(others.folder, 'program/plumbline.mjs');
    cpSync(dirname(built.program), dirname(program), { recursive: true });
    gateway = await TaskIdentityGateway.start({
      program,
      below: others.folder,
      luigid: true,
      python: pythonForOthers(others),
      config: { isolation: 'users' },
      // Renewed every six seconds.
      issuer: { lifetime: '1m' },
      policy: (usual, served) => {
        chmodSync(served.folder, 0o711);
        const role = (user: keyof typeof USERS) => {
          const out = join(served.folder, user);
          mkdirSync(out, { mode: 0o700 });
          chownSync(out, USERS[user], USERS[user]);
          return {
            ...usual.roles['etl'],
            modules: ['hostile'],
            unixUser: `${USERS[user]}:${USERS[user]}`,
            variables: { OUT: out },
            stockLuigi: true,
            namespaces: [user === 'bob' ? 'bob' : ''],
            taskIdentities: [{ tasks: user === 'bob' ? ['bob.Victim'] : OWN_FAMILIES, identity: user }],
          };
        };
        const [sales] = Object.values(usual.identities) as [object];
        return {
          ...usual,
          identities: { alice: sales, bob: sales },
          roles: { alice: role('alice'), bob: role('bob') },
          bindings: bindingsOf(usual, ['alice', 'bob']),
        };
      },
    });
    await runIntruder();
  });
  after(() => gateway?.close());

  const at = (user: keyof typeof USERS, name: string) => join(gateway.served.folder, user, name);
  async function said<T>(user: keyof typeof USERS, name: string): Promise<T> {
    const path = at(user, name);
    await gateway.served.until(() => {
      if (ended !== undefined && !existsSync(path)) throw new Error(ended);
      return existsSync(path);
    }, 60_000);
    return JSON.parse(readFileSync(path, 'utf8'));
  }

  async function runIntruder(): Promise<void> {
    const task = { module: 'hostile' };
    victim = await gateway.create('bob.Victim', { name: 'v' }, { ...task, role: 'bob' });
    void gateway.outcomeOf(victim, 90_000).then(({ state, findings }) => {
      ended = `the victim ended as ${state}: ${JSON.stringify(findings)}`;
    });
    told = await said('bob', 'victim-v');
    plan = makePlan();
    const planFile = join(gateway.served.folder, 'plan.json');
    writeFileSync(planFile, JSON.stringify(plan), { mode: 0o644 });
    const parameters = { name: 'i', plan: planFile };
    const run = await gateway.create('Intruder', parameters, { ...task, role: 'alice' });
    const { state, findings } = await gateway.outcomeOf(run, 90_000);
    assert.equal(state, 'succeeded', JSON.stringify(findings) + gateway.served.log.slice(-3_000));
    found = await said('alice', 'Intruder-i.json');
  }

  /** Everything of the gateway and of the other role that there is, whatever it is called. */
  function makePlan(): typeof plan {
    const { folder } = gateway.served;
    const state = join(folder, 'state');
    const inState = readdirSync(state, { recursive: true, encoding: 'utf8' }).map((name) => join(state, name));
    const attempt = join(folder, 'runs', told.worker);
    const inAttempt = readdirSync(attempt, { recursive: true, encoding: 'utf8' }).map((name) => join(attempt, name));
    const processes = [told.pid, told.parent, gateway.served.child?.pid ?? 0, gateway.luigid?.pid ?? 0];
    assert.ok(
      inState.some((path) => /keys\/.*(issuer|signing)/.test(path)),
      inState.join(),
    );
    const ownFiles = ['environ', 'mem', 'maps', 'fd'].flatMap((file) => processes.map((pid) => `/proc/${pid}/${file}`));
    const sockets = [gateway.luigid?.socket ?? '', gateway.workerSocket(USERS.bob)];
    return {
      paths: [...inState, ...inAttempt, told.file, ...ownFiles].filter((path) => !path.endsWith('/fd')),
      folders: [
        state,
        join(state, 'keys'),
        attempt,
        dirname(told.file),
        join(folder, 'runs/sockets'),
        ...ownFiles.filter((path) => path.endsWith('/fd')),
      ],
      sockets,
      processes,
      foreignWorker: told.worker,
      foreignFamily: 'bob.Victim',
      siblingFamily: 'Plants',
      foreignTask: 'bob.Victim_v_0000000000',
      stolenToken: told.token,
      gatewaySocket: gateway.workerSocket(USERS.alice),
      gatewayUrl: gateway.served.url,
    };
  }

  it("reaches neither the gateway's keys, state and audit nor luigid's state nor the other role's token", () => {
    assert.ok(Object.keys(found.paths).length > 20);
    assert.deepEqual(Object.keys(found.paths).toSorted(), [...new Set(plan.paths)].toSorted());
    for (const part of ['paths', 'folders', 'writes', 'processes', 'memory'] as const)
      for (const [what, came] of Object.entries(found[part]))
        if (part !== 'writes' || !what.startsWith('/proc/')) assert.match(came, DENIED, `${part}: ${what}`);
  });

  it("comes neither to luigid's socket nor to that of another role's workers", () => {
    assert.deepEqual(Object.keys(found.sockets), [gateway.luigid?.socket, gateway.workerSocket(USERS.bob)]);
    for (const [what, came] of Object.entries(found.sockets)) assert.match(came, DENIED, what);
  });

  it('gets tokens of its own role and run only: no other family, run, attempt or audience, nothing guessed, stolen or of another kind', () => {
    const { good, "a sibling's family": sibling, ...bad } = found.exchanges;
    assert.equal(sibling?.status, 200, 'within one role a token for each family is least privilege and no wall');
    assert.equal(good?.status, 200, JSON.stringify(found.exchanges));
    assert.equal(Object.keys(bad).length, 12);
    for (const [what, { status, code }] of Object.entries(bad)) {
      assert.equal(status, 400, what);
      assert.match(String(code), /^(ERR_IDENTITY_REJECTED|invalid-request)$/, what);
    }
  });

  it('what was refused is on record', () => {
    const rejected = gateway.audit('identity.rejected').map(({ data }) => [data['reason'], data['family']]);
    for (const one of [
      ['family', 'bob.Victim'],
      ['family', 'Nobody'],
      ['audience', 'Intruder'],
      ['worker-token', undefined],
    ])
      assert.ok(
        rejected.some((other) => JSON.stringify(other) === JSON.stringify(one)),
        `${one} is not among ${rejected.join(' ')}`,
      );
    const families = gateway.issued().map(({ data }) => data['family']);
    assert.deepEqual([...new Set(families)].toSorted(), ['Intruder', 'Plants', 'bob.Victim']);
  });

  it('does nothing at the Runs API with its token, that of its worker, or its scheduler password', () => {
    assert.equal(Object.keys(found.api).length, 18);
    for (const [what, { status }] of Object.entries(found.api))
      assert.equal(status, what.endsWith('socket') ? 404 : 401, what);
    assert.equal(gateway.audit('run.create.intent').length, 2);
    assert.equal(gateway.audit('run.cancel.intent').length, 0);
  });

  it('is no other worker at luigid and changes nothing of the other role there', () => {
    const { good, ...bad } = found.luigid;
    assert.equal(good?.status, 200, JSON.stringify(found.luigid));
    for (const [what, { status }] of Object.entries(bad))
      assert.equal(status, what.includes('stolen') ? 401 : 403, what);
    assert.ok(gateway.audit('luigid.refused').length > 0);
  });

  it('a link where the next token is to be written is not followed: the run ends', async () => {
    const run = await gateway.create('Plants', { name: 'p' }, { module: 'hostile', role: 'alice' });
    const { loot, file } = await said<{ loot: string; file: string }>('alice', 'planted-p');
    const { state, findings } = await gateway.outcomeOf(run);
    assert.equal(state, 'failed');
    assert.ok(
      findings.some(({ code }) => code === 'ERR_IDENTITY_REJECTED'),
      JSON.stringify(findings),
    );
    assert.equal(readFileSync(loot, 'utf8'), '');
    assert.ok(!existsSync(file));
  });

  it("a folder of everybody's in the place of the tokens' ends the run, and opens none of them to others", async () => {
    const run = await gateway.create('AfterMoves', { name: 'm' }, { module: 'hostile', role: 'alice' });
    const { state, findings } = await gateway.outcomeOf(run);
    assert.equal(state, 'failed');
    assert.ok(
      findings.some(({ code }) => code === 'ERR_IDENTITY_REJECTED'),
      JSON.stringify(findings),
    );
    assert.deepEqual(readdirSync(at('alice', 'everybodys-m')), []);
    assert.ok(!existsSync(at('alice', 'AfterMoves-m.json')), 'no code ran with an identity that nobody watches');
  });

  it('the other role notices nothing of it', async () => {
    writeFileSync(at('bob', 'open-v'), '');
    assert.equal((await gateway.outcomeOf(victim)).state, 'succeeded');
  });
});
