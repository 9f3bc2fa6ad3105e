import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { buildGateway } from '../../scripts/build-gateway.ts';
import { TaskIdentityGateway, type Told } from '../support/task-identity-gateway.ts';

const TASKS = 1_000;

describe('a run of a thousand tasks with eight workers, at a luigid behind the gateway', function () {
  this.timeout(300_000);
  let gateway: TaskIdentityGateway;

  before(async () => {
    const { program } = await buildGateway();
    gateway = await TaskIdentityGateway.start({ program, luigid: true, config: { logging: { level: 'info' } } });
  });
  after(() => gateway?.close());

  it('every task has a token of its own, on record, and no other', async () => {
    const parameters = { name: 'many', count: String(TASKS - 1) };
    const run = await gateway.create('Wide', parameters, { workers: 8 });
    const outcome = await gateway.outcomeOf(run, 240_000);
    assert.equal(outcome.state, 'succeeded', JSON.stringify(outcome.findings).slice(0, 2_000));
    const issued = gateway.issued(run);
    assert.equal(issued.length, TASKS);
    assert.equal(gateway.audit('identity.rejected').length, 0);
    const of = (field: string) => issued.map(({ data }) => data[field]);
    assert.equal(new Set(of('tokenId')).size, TASKS);
    assert.equal(new Set(of('taskId')).size, TASKS);
    assert.deepEqual([...new Set(of('role'))], ['etl']);
    assert.deepEqual([...new Set(of('attempt'))], [1]);
    assert.deepEqual([...new Set(of('policy'))], [gateway.policyHash()]);
    assert.deepEqual([...new Set(of('family'))].toSorted(), ['Leaf', 'Wide']);

    const names = readdirSync(gateway.served.out).filter((name) => /^Leaf-.*\.json$/.test(name));
    assert.equal(names.length, TASKS - 1);
    const recorded = new Map(issued.map(({ data }) => [data['taskId'], data]));
    const pids = new Set<number>();
    for (const name of names) {
      const { id, pid, held } = JSON.parse(readFileSync(gateway.place(name), 'utf8')) as Told;
      const data = recorded.get(id);
      assert.equal(held?.claims.jti, data?.['tokenId'], `${name} held the token that was issued for it`);
      assert.deepEqual(held?.claims['plumbline'], {
        run: run.id,
        attempt: 1,
        role: 'etl',
        family: 'Leaf',
        task: id,
        policy: gateway.policyHash(),
      });
      assert.equal(held?.claims.sub, 'plumbline:sales');
      pids.add(pid);
    }
    assert.equal(pids.size, TASKS - 1, 'each ran in a process of its own');
  });

  it('luigid saw one worker, that of the run, and all of its tasks', async () => {
    const [run] = gateway.audit('run.start.intent');
    const done = (await gateway.luigid?.ask('task_list', { status: 'DONE' })) as Record<string, { name: string }>;
    assert.equal(Object.keys(done).length, TASKS);
    const workers = (await gateway.luigid?.ask('worker_list', { include_running: false })) as { name: string }[];
    assert.deepEqual(
      workers.map(({ name }) => name),
      [`${run?.subject}.1`],
    );
  });

  it('the audit verifies', () => gateway.assertAuditIntact());
});
