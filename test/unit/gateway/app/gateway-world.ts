import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { PlumblineError } from '#core/errors.ts';
import type { RunOutcome, RunUpdate, TaskRecord } from '#core/run.ts';
import { Secret } from '#core/secret.ts';
import type { AppServices } from '#gateway/app/app-services.ts';
import { type AppOptions, type GatewayApp, gatewayApp } from '#gateway/app/gateway-app.ts';
import { GatewayMetrics } from '#gateway/app/gateway-metrics.ts';
import type { GatewayRuns } from '#gateway/app/gateway-runs.ts';
import type { AuditEvent } from '#gateway/audit/audit-log.ts';
import type { Caller } from '#gateway/auth/caller.ts';
import { runTokens } from '#gateway/auth/run-tokens.ts';
import { refused } from '#gateway/auth/token-refused.ts';
import { workerTokens } from '#gateway/auth/worker-tokens.ts';
import type { RunFilter } from '#gateway/runs/run-pages.ts';
import type { RunRecord } from '#gateway/runs/run-record.ts';
import type { NumberedUpdate } from '#gateway/runs/run-row.ts';

/** A caller whose token is its name; `once-` before it makes it an ID token. */
export function callerNamed(token: string, facts: Partial<Caller> = {}): Caller {
  const tokenHash = createHash('sha256').update(token).digest('hex');
  return {
    issuer: 'test',
    profile: 'oidc',
    iss: 'https://issuer.example',
    subject: token.replace(/^once-\d*/, ''),
    audience: 'gateway',
    signed: { project: 'p1' },
    claims: {},
    use: token.startsWith('once-') ? 'once' : 'untilExpiry',
    tokenId: tokenHash,
    tokenHash,
    expiresAt: Date.now() + 3_600_000,
    scope: createHash('sha256')
      .update(token.replace(/^once-\d*/, ''))
      .digest('hex'),
    ...facts,
  };
}

interface MemoryRun {
  record: RunRecord;
  readonly updates: NumberedUpdate[];
  output: Buffer;
  droppedBytes: number;
  readonly watchers: Set<() => void>;
}

/** Runs in memory, told by the test. */
export class MemoryRuns implements GatewayRuns {
  readonly all = new Map<string, MemoryRun>();
  /** What the store was asked for. */
  readonly pagesRead: string[] = [];

  readonly scopeOf = (id: string) => this.all.get(id)?.record.scope;

  async create(caller: Caller, key: string, specification: RunRecord['specification']) {
    const fingerprint = createHash('sha256').update(JSON.stringify(specification)).digest('hex');
    const known = [...this.all.values()].find(({ record }) => record.scope === caller.scope && record.key === key);
    if (specification.role === 'forbidden') throw new PlumblineError('ERR_RUN_DENIED', 'The run is denied: no binding');
    if (known && known.record.fingerprint !== fingerprint)
      throw new PlumblineError('ERR_RUN_KEY_REUSED', 'The key has another run');
    if (known) return { run: known.record, created: false };
    const id = randomUUID();
    const record: RunRecord = {
      id,
      key,
      scope: caller.scope,
      specification,
      fingerprint,
      state: 'queued',
      attempt: 0,
      createdAt: Date.now(),
      caller: { issuer: caller.issuer, subject: caller.subject },
      decision: { policy: 'a'.repeat(64), binding: 'b', mode: 'enforce', wouldAllow: true },
      isolation: 'none',
      secrets: [],
    };
    this.all.set(id, { record, updates: [], output: Buffer.alloc(0), droppedBytes: 0, watchers: new Set() });
    return { run: record, created: true };
  }

  async read(caller: Caller, id: string): Promise<RunRecord> {
    const record = this.all.get(id)?.record;
    const isOwn = record?.scope === caller.scope && (caller.runId ?? id) === id;
    if (record && isOwn) return record;
    throw new PlumblineError('ERR_RUN_UNKNOWN', `There is no run ${id}`);
  }

  async list(caller: Caller, { key, limit }: RunFilter) {
    const own = [...this.all.values()].map(({ record }) => record).filter(({ scope }) => scope === caller.scope);
    const found = own.filter((record) => key === undefined || record.key === key).toReversed();
    return { runs: found.slice(0, limit), ...(found.length > limit && { cursor: 'next' }) };
  }

  async updates(id: string, after: number, limit: number) {
    this.pagesRead.push(`${after}+${limit}`);
    return this.#run(id).updates.slice(after, after + limit);
  }

  watch(id: string, notify: () => void) {
    const watcher = () => notify();
    this.#run(id).watchers.add(watcher);
    return () => this.#run(id).watchers.delete(watcher);
  }

  async cancel(caller: Caller, id: string) {
    const run = await this.read(caller, id);
    return { answer: 'stopped' as const, run };
  }

  async graph(caller: Caller, id: string) {
    await this.read(caller, id);
    const tasks = this.#run(id).updates.flatMap(({ update }) => (update.kind === 'task' ? [update.task] : []));
    const nodes = new Map(tasks.map((task) => [task.id, task]));
    return nodes.size === 0 ? undefined : { root: [...nodes.keys()][0] as string, nodes };
  }

  async lineage(caller: Caller, id: string) {
    const { outcome } = await this.read(caller, id);
    return outcome && { namespace: 'n', stepRunId: 's', workflowRunId: 'w', events: [], omittedDatasets: 0 };
  }

  async output(id: string, { start, end }: { readonly start: number; readonly end?: number | undefined }) {
    const { output, droppedBytes } = this.#run(id);
    return { bytes: output.subarray(start, end), total: output.length, droppedBytes };
  }

  /** Stores updates and tells watchers, as one commit. */
  tell(id: string, ...updates: RunUpdate[]): void {
    const run = this.#run(id);
    for (const update of updates) {
      run.updates.push({ sequence: run.updates.length + 1, update });
      if (update.kind !== 'outcome') continue;
      const { tasks: _, ...outcome } = update.outcome;
      run.record = { ...run.record, state: outcome.state, endedAt: outcome.endedAt, outcome };
    }
    for (const notify of run.watchers) notify();
  }

  write(id: string, output: string, droppedBytes = 0): void {
    Object.assign(this.#run(id), { output: Buffer.from(output), droppedBytes });
  }

  #run(id: string): MemoryRun {
    const run = this.all.get(id);
    if (!run) throw new Error(`no run ${id}`);
    return run;
  }
}

export const TASK: TaskRecord = {
  id: 'Load_1',
  family: 'Load',
  parameters: {},
  state: 'done',
  dependsOn: ['Get_1'],
  startedAt: 1_700_000_000_000,
  endedAt: 1_700_000_001_000,
  attempts: 1,
  inputs: [{ namespace: 'file', name: '/in', type: 'LocalTarget' }],
  outputs: [{ namespace: 'file', name: '/out', type: 'LocalTarget' }],
};

export const OUTCOME: RunOutcome = {
  state: 'succeeded',
  verified: 'confirmed',
  rootTaskId: TASK.id,
  tasks: [TASK],
  findings: [],
  startedAt: 1_700_000_000_000,
  endedAt: 1_700_000_002_000,
  engine: { name: 'luigi', version: '3.6.0', adapterVersion: '1.0.0' },
  adopted: false,
};

export interface World {
  readonly gateway: GatewayApp;
  readonly app: GatewayApp['app'];
  readonly runs: MemoryRuns;
  readonly services: AppServices;
  readonly audited: AuditEvent[];
  /** Lines of the log. */
  readonly log: string[];
  readonly faults: { audit?: Error; serving: boolean; stopping: boolean };
  /** Callers that are known beside those whose token begins with `good`. */
  readonly callers: Map<string, Caller>;
  close(): Promise<void>;
}

/** The API on collaborators in memory. Tokens that begin with `good` or `once-` are good. */
export async function gatewayWorld(
  options: Partial<AppOptions> = {},
  changes: Partial<AppServices> = {},
): Promise<World> {
  const runs = new MemoryRuns();
  const audited: AuditEvent[] = [];
  const log: string[] = [];
  const used = new Map<string, string>();
  const callers = new Map<string, Caller>();
  const faults: World['faults'] = { serving: true, stopping: false };
  const services: AppServices = {
    runs,
    bundles: {
      permit: async (_, role) => {
        if (role === 'forbidden') throw new PlumblineError('ERR_RUN_DENIED', 'No uploads for this role');
        return { maxBytes: 1_000 };
      },
      store: async (_, { sha256, bytes }) => {
        const parts: Buffer[] = [];
        for await (const part of bytes) parts.push(part as Buffer);
        return { sha256, size: Buffer.concat(parts).length, created: true };
      },
    },
    authenticator: {
      authenticate: async ({ bearer, runFacts }) => {
        const facts = runFacts === undefined ? {} : { runFacts: callerNamed(runFacts) };
        const known = callers.get(bearer);
        if (known) return { ...known, ...facts };
        if (!/^(good|once-)/.test(bearer)) throw refused('signature');
        return { ...callerNamed(bearer), ...facts };
      },
    },
    runTokens: runTokens(new Secret('k'.repeat(43)), { now: () => Date.now() }),
    workerTokens: workerTokens(new Secret('k'.repeat(43))),
    workers: { find: () => undefined, uidOf: () => undefined, decide: () => assert.fail('no worker is known') },
    ledger: {
      use: async ({ tokenId }, fingerprint) => {
        const known = used.get(tokenId);
        used.set(tokenId, known ?? fingerprint);
        return known === undefined ? 'first' : known === fingerprint ? 'same' : 'replayed';
      },
    },
    legacy: () => [],
    audit: {
      append: async (event) => {
        if (faults.audit) throw faults.audit;
        audited.push(event);
        return { sequence: audited.length, hash: '' };
      },
    },
    readiness: {
      get serving() {
        return faults.serving;
      },
      get stopping() {
        return faults.stopping;
      },
      report: async () => ({ ready: faults.serving, checks: [{ name: 'recovery', state: 'ok' }], issuers: [] }),
    },
    metrics: new GatewayMetrics(),
    clock: { now: () => Date.now(), sleep: async () => undefined },
    ...changes,
  };
  const gateway = await gatewayApp(services, {
    log: pino({ level: 'trace' }, { write: (line: string) => void log.push(line) }),
    limits: LIMITS,
    timeouts: TIMEOUTS,
    ...options,
  });
  const close = async () => {
    await gateway.app.close();
    // The framework closes what it was told to listen on; a test lets the server itself listen.
    const { server } = gateway.app;
    server.closeAllConnections();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  };
  return { gateway, app: gateway.app, runs, services, audited, log, faults, callers, close };
}

export const LIMITS: AppOptions['limits'] = {
  runs: 2,
  queued: 10,
  bodyBytes: 16_384,
  connections: 5_000,
  requestsPerCaller: 1_000_000,
  requestsPerAddress: 1_000_000,
  watchers: 5_000,
};

export const TIMEOUTS: AppOptions['timeouts'] = {
  requestMs: 5_000,
  headersMs: 2_000,
  keepAliveMs: 2_000,
  uploadMs: 10_000,
  slowWatcherMs: 2_000,
  heartbeatMs: 1_000,
  shutdownMs: 2_000,
};

export const GOOD = { authorization: 'Bearer good-alice' } as const;

export const BODY = { role: 'etl', module: 'etl.tasks', task: 'Load', parameters: { date: '2026-01-01' } } as const;

/** A run of alice. */
export async function createdRun({ app }: Pick<World, 'app'>, key = 'k1'): Promise<{ id: string; runToken: string }> {
  const answer = await app.inject({
    method: 'POST',
    url: '/v1/runs',
    headers: { ...GOOD, 'idempotency-key': key },
    payload: BODY,
  });
  return answer.json();
}
