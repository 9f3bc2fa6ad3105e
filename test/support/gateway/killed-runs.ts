import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { endStrays } from '#engines/luigi/stray-processes.ts';
import { verifyAudit } from '#gateway/audit/verify-audit.ts';
import { processesMarked } from '../run-processes.ts';
import type { KilledGateway, KillPoint } from './kill-points.ts';

export interface Killing {
  readonly point: KillPoint;
  /** One run each, all under way at the same time; the point is one of the first one's life. */
  readonly keys: readonly string[];
  /** Milliseconds from the point to the killing. */
  readonly delayMs?: number;
}

/** Kills the gateway at the point, starts it again, asks again as its callers would, and looks at what came of the runs. */
export async function killAndGoOn(gateway: KilledGateway, killing: Killing): Promise<void> {
  const { keys, point } = killing;
  const [first = ''] = keys;
  const ask = () => {
    for (const key of keys) gateway.ask({ create: key, task: point.cancel && key === first ? 'Slow' : 'Root' });
  };
  ask();
  await kill(gateway, killing, first);
  await gateway.start();
  ask();
  if (point.cancel) gateway.ask({ cancel: gateway.run(first)?.id });
  await gateway.until(() => keys.every((key) => gateway.run(key)?.phase === 'closed'), 'the end of all runs');
  for (const key of keys) checkRun(gateway, key, point.cancel === true && key === first);
}

async function kill(gateway: KilledGateway, { point, delayMs = 0 }: Killing, first: string): Promise<void> {
  if (point.cancel) {
    await gateway.until(() => gateway.ran().includes(`Slow ${first}`), 'the start of the slow task');
    gateway.ask({ cancel: gateway.run(first)?.id });
  }
  await gateway.until(() => point.is(gateway, first), point.name);
  if (delayMs > 0) await sleep(delayMs);
  await gateway.kill();
}

function checkRun(gateway: KilledGateway, key: string, isCancelled: boolean): void {
  const all = gateway.runs().filter((run) => run.key === key);
  const [run] = all;
  assert.ok(run && all.length === 1, 'one run for a key');
  const updates = gateway.updates(run.id);
  assert.deepEqual(
    updates.map(({ sequence }) => sequence),
    updates.map((_, place) => place + 1),
  );
  const outcomes = updates.filter(({ update }) => update.kind === 'outcome');
  assert.ok(outcomes.length === 1 && updates.at(-1) === outcomes[0], 'one outcome, and it is the last');
  assert.equal(run.state, isCancelled ? 'cancelled' : 'succeeded', JSON.stringify(outcomes));
  const ran = gateway.ran().filter((line) => line.endsWith(` ${key}`));
  assert.deepEqual(ran, isCancelled ? [`Slow ${key}`] : [`Leaf ${key}`, `Root ${key}`], 'each task ran once');
  assert.equal(gateway.exists('out', `Root-${key}`), !isCancelled);
  const left = Array.from({ length: run.attempt }, (_, number) => `PLUMBLINE_RUN_ID=${run.id}.${number + 1}\0`);
  assert.deepEqual(processesMarked(left), []);
}

/** The machine fails: the gateway is gone, and so is the worker in the middle of a task. */
export async function loseMachine(gateway: KilledGateway, key: string): Promise<void> {
  gateway.ask({ create: key, task: 'Root' });
  await gateway.until(() => gateway.ran().includes(`Leaf ${key}`), 'the start of the first task');
  await gateway.kill();
  const { id = '', attempt = 0 } = gateway.run(key) ?? {};
  await endStrays(`${id}.${attempt}`, { graceMs: 0 });
  await gateway.start();
  await gateway.until(() => gateway.run(key)?.phase === 'closed', 'the end of the run');
}

/** The log verifies, holds every act of every run with its intent before it, and no secret. */
export async function checkAudit(gateway: KilledGateway): Promise<void> {
  const publicKeys = gateway.text('keys', 'audit-signing.pub').trim().split('\n');
  const { findings } = await verifyAudit({ directory: `${gateway.folder}/audit`, publicKeys });
  assert.deepEqual(
    findings.filter(({ severity }) => severity === 'error'),
    [],
  );
  for (const { id, attempt } of gateway.runs()) {
    const types = gateway.audited(id);
    const count = (type: string) => types.filter((found) => found === type).length;
    assert.equal(types[0], 'run.create.intent');
    assert.ok(count('run.create.outcome') >= 1, `${types}`);
    assert.ok(count('run.start.intent') >= attempt, `${types}`);
    assert.ok(count('run.end') >= 1, `${types}`);
  }
  assert.doesNotMatch(gateway.auditText, /from the vault/);
}
