import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { RunRef, RunUpdate } from '#core/run.ts';
import { describeEngine } from '../contract/engine.contract.ts';
import { GatewayScenario, scenarioRequest } from '../support/gateway-scenario.ts';

const PROGRAM = fileURLToPath(new URL('../support/start-gateway-run.ts', import.meta.url));
const TASKS = { succeeds: 'Good', fails: 'FailsBelow', endless: 'Hung' } as const;
const signal = new AbortController().signal;

describe('the real gateway', function () {
  this.timeout(120_000);
  let scenario: GatewayScenario;
  before(async () => {
    scenario = await GatewayScenario.start();
  });
  after(() => scenario?.close());

  describeEngine('luigi-gateway', async () => ({
    engine: scenario.engine(),
    request: (kind, id) => scenarioRequest(TASKS[kind], { id }),
    other: () => scenario.engine(),
    startAndDie: (id) => startAndDie(scenario, id),
    close: async () => {},
  }));

  describe('followed by the engine', () => {
    it('may be restarted in the middle: every update comes once and in order', async () => {
      const engine = scenario.engine();
      const ref = await engine.start(scenarioRequest('Hung'), signal);
      const updates: RunUpdate[] = [];
      let isGoing = () => {};
      const going = new Promise<void>((resolve) => {
        isGoing = resolve;
      });
      const following = (async () => {
        for await (const update of engine.follow(ref, signal)) {
          updates.push(update);
          if (update.kind === 'task' && update.task.state === 'running') isGoing();
        }
      })();
      await Promise.race([going, following]);
      await scenario.gateway.stop('SIGKILL');
      await scenario.gateway.restart();
      assert.equal(await engine.cancel(ref, 'cancelled'), 'stopped');
      await following;
      const again: RunUpdate[] = [];
      for await (const update of engine.follow(ref, signal)) again.push(update);
      assert.deepEqual(updates, again);
      const last = updates.at(-1);
      assert.ok(last?.kind === 'outcome');
      assert.equal(last.outcome.state, 'cancelled');
    });

    it('tells role, rule, policy, code and isolation of a run', async () => {
      const engine = scenario.engine();
      const ref = await engine.start(scenarioRequest('Good'), signal);
      for await (const _ of engine.follow(ref, signal));
      const facts = await engine.facts(ref, signal);
      assert.deepEqual(
        [facts.role, facts.binding, facts.mode, facts.isolation, facts.starts, facts.code?.kind],
        ['scenarios', 'with-federation', 'enforce', 'none', 1, 'installed'],
      );
      assert.match(facts.policy, /^[0-9a-f]{64}$/);
    });

    it('refuses a role that it does not have, with its code and a request id', async () => {
      await assert.rejects(
        scenario.engine().start(scenarioRequest('Good', { role: 'other' }), signal),
        (error: Error) => {
          assert.match(error.message, /did not start the run .*\(run-denied, request [\w-]+\)/);
          return true;
        },
      );
    });
  });
});

/** From a process that is killed as soon as a task runs. */
async function startAndDie({ gateway, proof }: GatewayScenario, id: string): Promise<RunRef> {
  const owner = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', PROGRAM], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exited = once(owner, 'exit');
  owner.stdin.end(
    JSON.stringify({ url: gateway.url, headers: await proof(), request: scenarioRequest('Hung', { id }) }),
  );
  const [line] = await once(createInterface({ input: owner.stdout }), 'line');
  owner.kill('SIGKILL');
  await exited;
  return JSON.parse(line as string) as RunRef;
}
