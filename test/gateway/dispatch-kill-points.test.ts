import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { verifyAudit } from '#gateway/audit/verify-audit.ts';
import { KilledDispatch } from '../support/gateway/killed-dispatch.ts';
import { ScriptedAzureDevOps } from '../support/scripted-azure-devops.ts';

/** A moment in the life of a pipeline run: told by what lies on the disk, or by what Azure DevOps has just got. */
interface KillPoint {
  readonly name: string;
  readonly is: (key: string) => boolean;
  /** Where Azure DevOps stops, and what it has done by then. */
  readonly holds?: { readonly path: RegExp; readonly works: boolean };
}

const PHASES = ['waiting', 'intended', 'sending', 'looking', 'answered', 'following', 'ended', 'closed'];

describe('a gateway that is killed queues no pipeline twice, and forgets none', () => {
  let azure: ScriptedAzureDevOps;
  let gateway: KilledDispatch;
  let held = false;
  before(async () => {
    azure = await ScriptedAzureDevOps.start();
    gateway = new KilledDispatch(azure);
    await gateway.start();
  });
  after(async () => {
    await gateway.remove();
    await azure.close();
  });

  const audited = (type: string): KillPoint => ({
    name: `${type} is on record`,
    is: (key) => gateway.audited(key).some((record) => record.type === `dev.plumbline.${type}`),
  });
  const phase = (wanted: string): KillPoint => ({
    name: `the store says ${wanted}`,
    is: (key) => PHASES.indexOf(gateway.run(key)?.phase ?? '') >= PHASES.indexOf(wanted),
  });
  const holding = (name: string, path: RegExp, works: boolean): KillPoint => ({
    name,
    is: () => held,
    holds: { path, works },
  });
  const points: readonly KillPoint[] = [
    audited('dispatch.queue.intent'),
    phase('intended'),
    phase('sending'),
    holding('Azure DevOps has the request, and has done nothing', /\/runs$/, false),
    holding('Azure DevOps has queued it, and has not answered', /\/runs$/, true),
    phase('answered'),
    audited('dispatch.queue.outcome'),
    holding('Azure DevOps is asked for the tags', /\/tags$/, false),
    audited('dispatch.tagged'),
    phase('following'),
    phase('ended'),
    audited('dispatch.end'),
    phase('closed'),
  ];

  for (const [index, point] of points.entries())
    it(`when ${point.name}`, async () => {
      const keys = [`key-${index}-a`, `key-${index}-b`];
      const [first = ''] = keys;
      const before = azure.builds.length;
      held = false;
      const { holds } = point;
      let isHeld = false;
      azure.script = async ({ url }) => {
        if (holds === undefined || isHeld || !holds.path.test(url.pathname)) return undefined;
        isHeld = true;
        // What it does of it is done; whoever asked will not hear of it.
        setImmediate(() => {
          held = true;
        });
        return holds.works ? 'hang-after-work' : 'hang';
      };
      const ending = setInterval(() => {
        for (const { id, status } of azure.builds) if (status !== 'completed') azure.end(id, 'succeeded');
      }, 20);
      try {
        for (const key of keys) gateway.ask({ queue: key });
        await gateway.until(() => point.is(first), point.name);
        await gateway.kill();
        await gateway.start();
        for (const key of keys) gateway.ask({ queue: key });
        await gateway.until(() => keys.every((key) => gateway.run(key)?.phase === 'closed'), 'the end of all');
      } finally {
        clearInterval(ending);
      }
      assert.equal(azure.builds.length, before + keys.length, 'one run in Azure DevOps for a key');
      for (const key of keys) checkRun(key);
    }).timeout(90_000);

  function checkRun(key: string): void {
    const run = gateway.run(key);
    assert.equal(run?.state, 'succeeded');
    const build = azure.builds.find(({ id }) => id === run?.azure_run);
    assert.equal(JSON.parse(build?.templateParameters['queuedBy'] ?? '{}').sharedId, run?.id);
    const records = gateway.audited(key).filter(({ data }) => data['pipelineRun'] === run?.azure_run);
    for (const type of ['dispatch.queue.outcome', 'dispatch.tagged', 'dispatch.end'])
      assert.ok(
        records.some((record) => record.type === `dev.plumbline.${type}`),
        `${type} of ${key}`,
      );
  }

  it('and everything is in an audit log that verifies', async () => {
    await gateway.kill();
    const publicKeys = readFileSync(join(gateway.folder, 'keys/audit-signing.pub'), 'utf8').trim().split('\n');
    const { findings } = await verifyAudit({ directory: join(gateway.folder, 'audit'), publicKeys });
    assert.deepEqual(
      findings.filter(({ severity }) => severity === 'error'),
      [],
    );
    assert.deepEqual(azure.findings, []);
  });
});
