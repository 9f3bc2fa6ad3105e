import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipelineApi } from '#azure-devops/pipeline-api.ts';
import type { Clock } from '#core/clock.ts';
import { Secret } from '#core/secret.ts';
import type { PipelineDecision, PipelineGrant, PipelinePermission } from '#gateway/policy/access-grants.ts';
import type { Caller } from '../../../src/gateway/auth/caller.ts';
import { DISPATCH_TIMES } from '../../../src/gateway/dispatch/dispatch-context.ts';
import { PipelineDispatch } from '../../../src/gateway/dispatch/pipeline-dispatch.ts';
import type { PipelineRun, PipelineRunRequest } from '../../../src/gateway/dispatch/pipeline-run.ts';
import { Store } from '../../../src/gateway/store/store.ts';
import { eventually } from '../eventually.ts';
import { AZURE_TOKEN, ScriptedAzureDevOps } from '../scripted-azure-devops.ts';
import { callerOf, FakePolicy, MemoryAudit } from './runs-fixture.ts';

export const ORGANIZATION = 'https://dev.azure.com/fabrikam';
export const GRANT: PipelineGrant = {
  name: 'publish',
  organization: ORGANIZATION,
  project: 'demo',
  pipeline: 42,
  contextParameter: 'queuedBy',
};
export const DAG: Caller = callerOf('system:serviceaccount:airflow:worker', { issuer: 'airflow-prod' });

export function requestOf(more: Partial<PipelineRunRequest> = {}): PipelineRunRequest {
  return {
    organization: ORGANIZATION,
    project: 'demo',
    pipeline: 42,
    ref: 'refs/heads/main',
    templateParameters: { table: 'orders' },
    claimed: { dagId: 'orders_watch' },
    ...more,
  };
}

/** Lets every pipeline be queued that it has a grant for, unless `refuses`. */
export class PipelinePolicy extends FakePolicy {
  grant: PipelineGrant = GRANT;
  refuses = false;

  override decidePipeline({ pipeline }: PipelinePermission): PipelineDecision {
    const decided = { mode: 'enforce', policy: this.sha256 } as const;
    const allowed = !this.refuses && pipeline === this.grant.pipeline;
    if (!allowed) return { ...decided, allowed, wouldAllow: false, reasons: [{ reason: 'no-binding' }] };
    return { ...decided, allowed, wouldAllow: true, reasons: [], binding: 'dags', grant: this.grant };
  }
}

/** Time that passes faster than that of the machine. */
export function fastClock(factor: number): Clock {
  const start = Date.now();
  return {
    now: () => start + Math.round((Date.now() - start) * factor),
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        const stop = () => {
          clearTimeout(timer);
          reject(signal?.reason);
        };
        if (signal?.aborted) return reject(signal.reason);
        const timer = setTimeout(
          () => {
            signal?.removeEventListener('abort', stop);
            resolve();
          },
          Math.ceil(ms / factor),
        );
        signal?.addEventListener('abort', stop, { once: true });
      }),
  };
}

/** Pipeline runs with a store of their own and an Azure DevOps that does as a test says. */
export class DispatchWorld {
  readonly azure: ScriptedAzureDevOps;
  readonly policy = new PipelinePolicy();
  readonly audit = new MemoryAudit();
  readonly counted: string[] = [];
  readonly logged: string[] = [];
  /** Trouble of the identity. */
  identity: () => Promise<Secret> = async () => new Secret(AZURE_TOKEN);
  isConfigured = true;
  /** How far the clock of the gateway is ahead of Azure DevOps', in milliseconds. */
  ahead = 0;
  readonly #folder = mkdtempSync(join(tmpdir(), 'plumbline-dispatch-'));
  readonly #clock: Clock;
  readonly #queueWithinMs: number;
  #store: Store | undefined;
  #dispatch: PipelineDispatch | undefined;

  private constructor(azure: ScriptedAzureDevOps, clock: Clock, queueWithinMs: number) {
    this.azure = azure;
    this.#queueWithinMs = queueWithinMs;
    this.#clock = { ...clock, now: () => clock.now() + this.ahead };
  }

  static async open(factor = 200): Promise<DispatchWorld> {
    // A request takes its time, however fast that of the gateway passes.
    const queueWithinMs = Math.max(DISPATCH_TIMES.queueWithinMs, factor * 4_000);
    const world = new DispatchWorld(await ScriptedAzureDevOps.start(), fastClock(factor), queueWithinMs);
    await world.start();
    return world;
  }

  get dispatch(): PipelineDispatch {
    if (!this.#dispatch) throw new Error('it was stopped');
    return this.#dispatch;
  }

  get clock(): Clock {
    return this.#clock;
  }

  async start(): Promise<void> {
    const store = await Store.open(join(this.#folder, 'store.sqlite'), this.#clock);
    this.#store = store;
    const api = pipelineApi({
      base: ORGANIZATION,
      http: this.azure.http,
      token: () => this.identity(),
      clock: this.#clock,
    });
    this.#dispatch = await PipelineDispatch.open({
      store,
      audit: this.audit,
      policy: () => this.policy,
      connect: () => (this.isConfigured ? { api, identity: { clientId: 'c0ffee' } } : undefined),
      keepEndedMs: 86_400_000,
      times: { queueWithinMs: this.#queueWithinMs },
      limits: { all: 100, perCaller: 60 },
      clock: this.#clock,
      counted: (result) => void this.counted.push(result),
      log: (message, facts) => void this.logged.push(`${message} ${JSON.stringify(facts)}`),
    });
  }

  async stop(): Promise<void> {
    await this.#dispatch?.close();
    await this.#store?.close();
    this.#dispatch = undefined;
  }

  async close(): Promise<void> {
    await this.stop();
    await this.azure.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  create(key: string, request: PipelineRunRequest = requestOf(), caller: Caller = DAG) {
    return this.dispatch.create(caller, key, request, 'request-1');
  }

  /** Creates it and waits for the answer of Azure DevOps. */
  async queued(key: string, request: PipelineRunRequest = requestOf()): Promise<PipelineRun> {
    const { run } = await this.create(key, request);
    return this.dispatch.settled(run.id, { until: 'queued', ms: 60_000, signal: new AbortController().signal });
  }

  /** As soon as it has ended. */
  async ended(id: string): Promise<PipelineRun> {
    await eventually(async () => (await this.read(id)).endedAt !== undefined, `the end of ${id}`, 60_000);
    return this.read(id);
  }

  read(id: string, caller: Caller = DAG): Promise<PipelineRun> {
    return this.dispatch.read(caller, id);
  }
}
