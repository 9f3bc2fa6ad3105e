import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse, stringify } from 'yaml';
import type { RunOutcome } from '#core/run.ts';
import { verifierKeyLines } from '#gateway/audit/audit-keys.ts';
import { verifyAudit } from '#gateway/audit/verify-audit.ts';
import { type ProofHeaders, pipelineProof } from '../../scripts/gateway-callers.ts';
import { ROOT } from '../../scripts/repository.ts';
import { type LocalGateway, startLocalGateway } from '../../scripts/start-local-gateway.ts';
import { mountSmall, unmount } from './chaos.ts';
import { CutWire } from './cut-wire.ts';
import { luigiPython } from './luigi-scenario.ts';

/** A task that waits for a file, and one that depends on it; `started-…` says that a process of it has begun. */
const TASKS = `
import os, time
import luigi

class Gate(luigi.Task):
    name = luigi.Parameter()

    def output(self):
        return luigi.LocalTarget(os.path.join(os.environ['OUT'], 'gate-' + self.name))

    def run(self):
        with open(os.path.join(os.environ['OUT'], 'started-' + self.name), 'a') as f:
            f.write('%d\\n' % os.getpid())
        while not os.path.exists(os.path.join(os.environ['OUT'], 'open-' + self.name)):
            time.sleep(0.02)
        with self.output().open('w') as f:
            f.write('x')

class Behind(luigi.Task):
    name = luigi.Parameter()

    def requires(self):
        return Gate(name=self.name)

    def output(self):
        return luigi.LocalTarget(os.path.join(os.environ['OUT'], 'behind-' + self.name))

    def run(self):
        with self.output().open('w') as f:
            f.write('x')
`;
/** Luigi's own patience with luigid; its default is three tries, half a minute apart. */
const LUIGI = '[core]\nrpc-retry-attempts = 4\nrpc-retry-wait = 1\nrpc-connect-timeout = 2\n';

export interface OutageOptions {
  /** The state directory is a disk of this size of its own. */
  readonly stateDisk?: string;
  /** Fields of gateway.yaml. */
  readonly settings?: Readonly<Record<string, unknown>>;
}

export interface CreatedRun {
  readonly id: string;
  readonly proof: ProofHeaders;
}

/** A gateway with wires that can be cut, and roles whose tasks wait for the test. */
export class OutageScenario {
  readonly folder: string;
  readonly gateway: LocalGateway;
  readonly wires: Readonly<Record<'azure' | 'luigid', CutWire>>;
  readonly proof: () => Promise<ProofHeaders>;
  readonly #out: string;
  #mounted: string | undefined;

  private constructor(folder: string, gateway: LocalGateway, wires: OutageScenario['wires'], mounted?: string) {
    this.folder = folder;
    this.gateway = gateway;
    this.wires = wires;
    this.proof = pipelineProof(gateway.azure);
    this.#out = join(folder, 'out');
    this.#mounted = mounted;
  }

  /** `undefined` where a disk of its own is asked for and this user may not mount one. */
  static async start(
    program: string,
    { stateDisk, settings }: OutageOptions = {},
  ): Promise<OutageScenario | undefined> {
    const folder = mkdtempSync(join(tmpdir(), 'plumbline-outage-'));
    for (const name of ['code', 'out']) mkdirSync(join(folder, name));
    writeFileSync(join(folder, 'code/waiting.py'), TASKS);
    writeFileSync(join(folder, 'code/luigi.cfg'), LUIGI);
    const wires: Partial<Record<'azure' | 'luigid', CutWire>> = {};
    let mounted: string | undefined;
    try {
      const gateway = await startLocalGateway({
        folder: join(folder, 'gateway'),
        python: luigiPython(),
        program,
        isolation: 'none',
        policy: policyOf(folder),
        settings: { 'logging.level': 'debug', ...settings },
        between: async (part, url) => {
          const wire = await CutWire.to(url);
          wires[part] = wire;
          return wire.url;
        },
        prepare: ({ state }) => {
          if (stateDisk !== undefined && mountSmall(state, `${stateDisk},mode=0700`)) mounted = state;
        },
      });
      const scenario = new OutageScenario(folder, gateway, wires as OutageScenario['wires'], mounted);
      if (stateDisk === undefined || mounted !== undefined) return scenario;
      await scenario.close();
      return undefined;
    } catch (error) {
      for (const wire of Object.values(wires)) await wire.cut();
      if (mounted !== undefined) unmount(mounted);
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  async create(role: 'waiting' | 'secretive', name: string): Promise<CreatedRun> {
    const answer = await this.ask(role, name);
    const { id, runToken } = (await answer.json()) as { id: string; runToken: string };
    assert.equal(answer.status, 201, `the run ${name} was not created: ${answer.status}`);
    return { id, proof: { authorization: `Bearer ${runToken}` } };
  }

  /** The same with whatever answer it gets. */
  async ask(role: string, name: string): Promise<Response> {
    const body = { role, module: 'waiting', task: 'Behind', parameters: { name } };
    const headers = {
      ...(await this.proof()),
      'idempotency-key': `${name}-${randomUUID()}`,
      'content-type': 'application/json',
    };
    return fetch(`${this.gateway.url}/v1/runs`, { method: 'POST', headers, body: JSON.stringify(body) });
  }

  /** Follows a run to its end, over as many connections as it takes. */
  async endOf({ id, proof }: CreatedRun, withinMs = 60_000): Promise<RunOutcome> {
    let outcome: RunOutcome | undefined;
    await this.until(async () => {
      const signal = AbortSignal.timeout(withinMs);
      const stream = await fetch(`${this.gateway.url}/v1/runs/${id}/events`, { headers: { ...proof }, signal });
      const line = /^data: (.*"kind":"outcome".*)$/m.exec(await stream.text())?.[1];
      if (line !== undefined) outcome = (JSON.parse(line) as { outcome: RunOutcome }).outcome;
      return outcome !== undefined;
    }, withinMs);
    return outcome as RunOutcome;
  }

  hasStarted(name: string): boolean {
    return existsSync(join(this.#out, `started-${name}`));
  }

  /** How many processes of the task have begun. */
  starts(name: string): number {
    if (!this.hasStarted(name)) return 0;
    return readFileSync(join(this.#out, `started-${name}`), 'utf8')
      .trim()
      .split('\n').length;
  }

  isDone(name: string): boolean {
    return existsSync(join(this.#out, `behind-${name}`));
  }

  open(name: string): void {
    writeFileSync(join(this.#out, `open-${name}`), '');
  }

  /** The task's process has begun. */
  started(name: string): Promise<void> {
    return this.until(() => this.hasStarted(name));
  }

  async until(condition: () => boolean | Promise<boolean>, withinMs = 30_000): Promise<void> {
    const end = Date.now() + withinMs;
    while (!(await Promise.resolve(condition()).catch(() => false))) {
      if (Date.now() > end) throw new Error(`it did not come to pass\n${this.#log()}`);
      await sleep(25);
    }
  }

  #log(): string {
    const lines = this.gateway.log().split('\n');
    return lines
      .filter((line) => !line.includes('"/readyz"'))
      .slice(-30)
      .join('\n');
  }

  audit(): readonly { readonly type: string; readonly subject?: string; readonly data: Record<string, unknown> }[] {
    const folder = join(this.gateway.files.state, 'audit');
    const names = readdirSync(folder).filter((name) => name.endsWith('.jsonl'));
    const text = names.toSorted().map((name) => readFileSync(join(folder, name), 'utf8'));
    return text
      .join('')
      .split('\n')
      .filter((line) => line.endsWith('}'))
      .map((line) => JSON.parse(line));
  }

  /**
   * Nothing was started that is not on record, and the record is whole: every attempt's folder and every process of a task
   * has its `run.start.intent`, every run its creation. Stops the gateway.
   */
  async assertAudited(names: readonly string[]): Promise<void> {
    await this.gateway.stop();
    const records = this.audit();
    const of = (type: string) => records.filter((record) => record.type === `dev.plumbline.${type}`);
    const started = of('run.start.intent').map(({ subject, data }) => `${subject}.${data['attempt']}`);
    const attempts = readdirSync(this.gateway.files.runs).filter((name) => /^[0-9a-f-]{36}\.\d+$/.test(name));
    assert.deepEqual(
      attempts.filter((name) => !started.includes(name)),
      [],
      'an attempt was started without a record',
    );
    const created = of('run.create.intent').map(({ subject }) => subject);
    assert.deepEqual(
      started.filter((name) => !created.includes(name.split('.')[0])),
      [],
      'a run was started that nobody created',
    );
    const begun = names.reduce((sum, name) => sum + this.starts(name), 0);
    assert.ok(begun <= started.length, `${begun} processes of tasks, ${started.length} recorded starts`);
    await this.#assertIntact();
  }

  async #assertIntact(): Promise<void> {
    const { state, checkpoints } = this.gateway.files;
    const publicKeys = verifierKeyLines(readFileSync(join(state, 'keys/audit-signing.pub'), 'utf8'));
    const directory = join(state, 'audit');
    const { verdict, findings } = await verifyAudit({ directory, publicKeys, checkpoints: [checkpoints] });
    assert.equal(verdict, 'intact', JSON.stringify(findings));
  }

  async close(): Promise<void> {
    for (const name of readdirSync(this.#out))
      if (name.startsWith('started-')) this.open(name.slice('started-'.length));
    await this.gateway.close();
    for (const wire of Object.values(this.wires)) await wire.cut();
    if (this.#mounted !== undefined) unmount(this.#mounted);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The example's policy with roles of the test: one without secrets and one with. */
function policyOf(folder: string): string {
  const policy = parse(readFileSync(resolve(ROOT, 'examples/gateway/policy.yaml'), 'utf8'));
  const [binding] = policy.bindings;
  const role = {
    modules: ['waiting'],
    tasks: ['Behind'],
    parameters: { name: { exists: true } },
    code: { kind: 'installed', path: join(folder, 'code'), python: '/replaced' },
    variables: { OUT: join(folder, 'out') },
    maxRuntime: '10m',
    concurrency: 8,
    attempts: 2,
  };
  const [secret] = policy.roles['sales-report'].secrets;
  policy.roles = { waiting: role, secretive: { ...role, secrets: [secret] } };
  const example = { ...binding.examples.allow[0], role: 'waiting' };
  const run = { module: 'waiting', task: 'Behind', parameters: { name: 'a' } };
  const deny = binding.examples.deny.map((one: { run?: object }) => ({ ...one, run: undefined, role: 'waiting' }));
  policy.bindings = [
    {
      ...binding,
      roles: ['waiting', 'secretive'],
      examples: { allow: [{ ...example, run }], deny: deny.slice(0, 2) },
    },
  ];
  return stringify(JSON.parse(JSON.stringify(policy)));
}
