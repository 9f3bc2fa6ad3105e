import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PipelineEvent } from '#local-pipeline/pipeline-listener.ts';
import { parseReport } from '#report/parse-report.ts';
import { codesOf, JobFolder, type JobRun, messagesOf, type StepYaml } from '../support/agent-job-run.ts';
import { CANARY, GatewayScenario, STEP_CLIENT } from '../support/gateway-scenario.ts';
import { spellings, textsBelow } from '../support/leaks.ts';

function step(name: string, inputs: Readonly<Record<string, string>>, more: StepYaml = {}): StepYaml {
  return {
    task: 'RunLuigi@1',
    name,
    displayName: name,
    condition: 'succeededOrFailed()',
    inputs: {
      runOn: 'gateway',
      gateway: 'retail-gateway',
      role: 'scenarios',
      module: 'scenarios',
      task: 'Good',
      ...inputs,
    },
    ...more,
  };
}

const named = (name: string) => `name: ${name}`;
const awaits = (name: string) => ({ role: 'steps', module: 'awaits', task: 'Awaits', parameters: named(name) });

/** Calls once when a step shows that a task of its run is running. */
function whenRunning(name: string, call: (agent: string) => void) {
  let called = false;
  return (event: PipelineEvent, agent: string) => {
    if (called || event.kind !== 'line' || event.record.displayName !== name || !/▶ running/.test(event.text)) return;
    called = true;
    call(agent);
  };
}

/** The process of the step that the agent in this folder runs. */
function stepProcess(agent: string): number {
  const found = readdirSync('/proc').find((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      return command.includes(agent) && command.includes('RunLuigi') && command.includes('index.js');
    } catch {
      return false;
    }
  });
  assert.ok(found, `no step runs in ${agent}`);
  return Number(found);
}

describe('RunLuigi@1 with runOn: gateway', function () {
  this.timeout(180_000);
  let scenario: GatewayScenario;
  before(async () => {
    scenario = await GatewayScenario.start();
  });
  after(() => scenario?.close());

  const file = (name: string) => join(scenario.folder, 'luigi', name);
  const starts = (name: string) =>
    readFileSync(file(`runs-${name}`), 'utf8')
      .trim()
      .split('\n').length;
  const output = (run: JobRun, name: string, variable: string) => run.step(name).outputs.get(variable)?.value;

  describe('steps of a job', () => {
    let folder: JobFolder;
    let run: JobRun;

    before(async () => {
      folder = new JobFolder();
      run = await folder.run({
        azure: scenario.azure,
        steps: [
          step('federation', { parameters: named('federation') }),
          step('pipeline', { gateway: 'pipeline', parameters: named('pipeline') }),
          step('fails', { task: 'FailsBelow', parameters: named('fails') }),
          step('denied', { gateway: 'stranger' }),
          step('norole', { role: 'elsewhere' }),
          step('mixed', { python: 'python3', secrets: 'A: b' }),
          step('unwaited', { ...awaits('unwaited'), wait: 'false' }),
          step('leaky', { role: 'secretive', module: 'leaky', task: 'Leaky' }),
          step('killed', awaits('killed'), { retryCountOnTaskFailure: 1 }),
        ],
        onEvent: whenRunning('killed', (agent) => {
          process.kill(stepProcess(agent), 'SIGKILL');
          writeFileSync(file('go-killed'), '');
        }),
      });
      writeFileSync(file('go-unwaited'), '');
    });
    after(() => folder.remove());

    const reportOf = (name: string) => {
      const found = run.texts.find(({ place }) => place.startsWith('plumbline-report/') && place.includes(name));
      assert.ok(found, run.texts.map(({ place }) => place).join('\n'));
      const parsed = parseReport(found.text);
      assert.ok(parsed.ok, parsed.ok ? '' : parsed.problem);
      return parsed.report;
    };

    for (const [name, authentication] of [
      ['federation', 'entra'],
      ['pipeline', 'pipeline'],
    ] as const) {
      it(`run, follow and publish with the scheme of '${name}'`, () => {
        assert.equal(run.step(name).result, 'Succeeded', run.log);
        assert.equal(output(run, name, 'runState'), 'succeeded');
        assert.equal(output(run, name, 'tasksTotal'), '4');
        assert.match(output(run, name, 'gatewayRunId') ?? '', /^[0-9a-f-]{36}$/);
        const { gateway, identity, tasks } = reportOf(name);
        assert.deepEqual(
          [gateway?.authentication, gateway?.role, gateway?.isolation, gateway?.mode, gateway?.code?.kind],
          [authentication, 'scenarios', 'none', 'enforce', 'installed'],
        );
        assert.match(gateway?.policy ?? '', /^[0-9a-f]{64}$/);
        assert.equal(gateway?.runId, output(run, name, 'gatewayRunId'));
        assert.equal(identity?.clientId, authentication === 'entra' ? STEP_CLIENT : undefined);
        assert.equal(tasks.length, 4);
        assert.match(output(run, name, 'lineageFile') ?? '', /lineage\.jsonl$/);
        assert.ok(run.texts.some(({ place }) => place.startsWith('plumbline-lineage/') && place.includes(name)));
      });
    }

    it('fail with the tasks that failed', () => {
      assert.equal(run.step('fails').result, 'Failed');
      assert.match(messagesOf(run.step('fails')).join('\n'), /Failing.* failed: ValueError: no rows for/);
    });

    it('are refused by the policy, with its code and a request to ask about', () => {
      for (const name of ['denied', 'norole']) {
        assert.deepEqual(codesOf(run.step(name)), ['ERR_GATEWAY_REFUSED'], messagesOf(run.step(name)).join('\n'));
        assert.match(messagesOf(run.step(name)).join('\n'), /run-denied, request /);
      }
    });

    it('name every input that only an agent follows', () => {
      assert.deepEqual(codesOf(run.step('mixed')), ['ERR_INPUT_INVALID']);
      assert.match(messagesOf(run.step('mixed')).join('\n'), /'python'[\s\S]*'secrets'/);
    });

    it('leave a run with wait: false: green, said, with its id, and not stopped by the end of the job', async () => {
      assert.equal(run.step('unwaited').result, 'Succeeded');
      assert.match(output(run, 'unwaited', 'runState') ?? '', /^(queued|running)$/);
      assert.match(run.log, /is (queued|running) at the gateway and was not waited for/);
      const handle = output(run, 'unwaited', 'gatewayRunId') ?? '';
      assert.match(handle, /^[0-9a-f-]{36}$/);
      await until(() => existsSync(file('out/awaits-unwaited.txt')));
      assert.equal(starts('unwaited'), 1);
    });

    it('take over the run of an attempt that was killed', () => {
      assert.equal(run.step('killed').result, 'Succeeded', run.log);
      assert.match(run.log, /The run plumbline-[0-9a-f]{20} is there already and is adopted/);
      assert.equal(starts('killed'), 1);
    });

    it('show neither a token nor a secret, whatever the tasks do', () => {
      assert.equal(run.step('leaky').result, 'Failed');
      const seen = JSON.parse(readFileSync(file('seen.json'), 'utf8')) as { lengths: number[] };
      assert.deepEqual(seen.lengths, Array(4).fill(CANARY.length));
      const places = [...run.texts, ...textsBelow(folder.root)];
      for (const { place, text } of places) {
        for (const form of spellings(CANARY)) assert.ok(!text.includes(form), `${place} has the secret as ${form}`);
        assert.doesNotMatch(text, /eyJ[\w-]{20}|plr_[0-9a-f]{8}-/, place);
      }
      assert.deepEqual(
        [...new Set(reportOf('leaky').secrets.map(({ vault, name }) => `${vault}/${name}`))].map((name) =>
          /contoso-retail.*\/canary$/.test(name),
        ),
        [true],
      );
    });
  });

  it('stops its run when the pipeline is cancelled, and says that it was stopped', async () => {
    const folder = new JobFolder();
    const cancel = new AbortController();
    try {
      const run = await folder.run({
        azure: scenario.azure,
        steps: [step('stops', { task: 'Hung', parameters: named('stops') })],
        cancelled: cancel.signal,
        onEvent: whenRunning('stops', () => cancel.abort()),
      });
      assert.equal(run.step('stops').result, 'Canceled', run.log);
      assert.equal(output(run, 'stops', 'runState'), 'cancelled');
      assert.match(messagesOf(run.step('stops')).join('\n'), /was stopped: the step was cancelled while Hung/);
    } finally {
      folder.remove();
    }
  });

  it('has the run stopped at the end of the job when the step was cancelled and killed', async () => {
    const folder = new JobFolder();
    const cancel = new AbortController();
    try {
      const run = await folder.run({
        azure: scenario.azure,
        steps: [step('dies', awaits('dies'))],
        cancelled: cancel.signal,
        onEvent: whenRunning('dies', (agent) => {
          process.kill(stepProcess(agent), 'SIGKILL');
          cancel.abort();
        }),
      });
      assert.match(run.log, /The run at the gateway was still going and has been stopped/);
      assert.equal(existsSync(file('out/awaits-dies.txt')), false);
    } finally {
      folder.remove();
    }
  });
});

async function until(holds: () => boolean): Promise<void> {
  for (const end = Date.now() + 20_000; !holds(); ) {
    assert.ok(Date.now() < end, 'it did not come to hold');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
