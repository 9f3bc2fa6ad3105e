import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '#core/clock.ts';
import { PlumblineError } from '#core/errors.ts';
import type { AirflowDecision, PipelineDecision, PipelinePermission } from '#gateway/policy/access-grants.ts';
import type { AuditEvent, AuditLog, AuditReceipt } from '../../../src/gateway/audit/audit-log.ts';
import { refuseCredentials } from '../../../src/gateway/audit/redaction-guard.ts';
import type { Caller } from '../../../src/gateway/auth/caller.ts';
import type { Decision, Policy, RunPermission } from '../../../src/gateway/policy/policy.ts';
import type { Role } from '../../../src/gateway/policy/role.ts';
import type { TaskDecision } from '../../../src/gateway/policy/task-identity.ts';
import type { RunServiceOptions } from '../../../src/gateway/runs/run-collaborators.ts';
import type { RunRecord, RunSpecification } from '../../../src/gateway/runs/run-record.ts';
import { RunService } from '../../../src/gateway/runs/run-service.ts';
import { Store } from '../../../src/gateway/store/store.ts';
import { FakeLauncher, FakeMachine } from './fake-launcher.ts';

/** An audit log in memory that can be out of order. */
export class MemoryAudit implements AuditLog {
  readonly events: AuditEvent[] = [];
  broken = false;

  async append(event: AuditEvent): Promise<AuditReceipt> {
    await Promise.resolve();
    refuseCredentials(event);
    if (this.broken) throw new PlumblineError('ERR_AUDIT_UNAVAILABLE', 'The audit log cannot be written: test');
    this.events.push(event);
    return { sequence: this.events.length, hash: '' };
  }

  async checkpoint(): Promise<void> {}
  problem(): string | undefined {
    return this.broken ? 'test' : undefined;
  }
  async close(): Promise<void> {}

  /** Types without their common beginning, of one run or of all. */
  types(subject?: string): readonly string[] {
    const events = this.events.filter((event) => subject === undefined || event.subject === subject);
    return events.map(({ type }) => type.replace('dev.plumbline.', ''));
  }
}

export function roleOf(name: string, more: Partial<Role> = {}): Role {
  return {
    name,
    modules: ['**'],
    tasks: ['*'],
    parameters: {},
    otherParameters: true,
    code: { kind: 'installed', path: '/srv/code', python: '/usr/bin/python3' },
    variables: {},
    secrets: [],
    maxWorkers: 4,
    maxRuntimeMs: 3_600_000,
    concurrency: 100,
    attempts: 1,
    namespaces: [],
    stockLuigi: false,
    ...more,
  };
}

/** A policy that allows what its roles name, as long as `allow` says so. */
export class FakePolicy implements Policy {
  sha256 = 'a'.repeat(64);
  readonly issuers = [];
  readonly legacy = [];
  readonly airflow = new Map();
  readonly pipelines = new Map();
  readonly roles: ReadonlyMap<string, Role>;
  allow: (wanted: RunPermission, now: number) => boolean = () => true;

  constructor(...roles: Role[]) {
    this.roles = new Map(roles.map((role) => [role.name, role]));
  }

  decide(wanted: RunPermission, now: number): Decision {
    const role = this.roles.get(wanted.role);
    const allowed = role !== undefined && this.allow(wanted, now);
    const reasons = allowed ? [] : [{ reason: 'no-binding', field: 'claim prj_id' }];
    return { allowed, wouldAllow: allowed, mode: 'enforce', binding: 'b', role, reasons, policy: this.sha256 };
  }

  decideAirflow(): AirflowDecision {
    return this.#nothing();
  }

  decidePipeline(_wanted: PipelinePermission): PipelineDecision {
    return this.#nothing();
  }

  decideTask(): TaskDecision {
    return { allowed: false, wouldAllow: false, mode: 'enforce', reason: 'no-task-identities' };
  }

  viewer(): undefined {}

  anonymous(): undefined {}

  namespacesOf(role: string): readonly string[] {
    return this.roles.get(role)?.namespaces ?? [];
  }

  #nothing() {
    const reasons = [{ reason: 'unknown-grant' }];
    return { allowed: false, wouldAllow: false, mode: 'enforce', reasons, policy: this.sha256 } as const;
  }
}

export function callerOf(subject = 'p://org/project/pipeline', more: Partial<Caller> = {}): Caller {
  return {
    issuer: 'azure',
    profile: 'azure-pipelines',
    iss: 'https://vstoken.dev.azure.com/x',
    subject,
    audience: 'api://x',
    signed: { project: 'p', run: '7', commit: 'c'.repeat(40) },
    claims: { prj_id: 'p' },
    use: 'once',
    tokenId: 't',
    tokenHash: 'h'.repeat(64),
    expiresAt: Number.MAX_SAFE_INTEGER,
    scope: `scope of ${subject}`,
    ...more,
  };
}

export function specificationOf(more: Partial<RunSpecification> = {}): RunSpecification {
  return {
    role: 'etl',
    module: 'sales.daily',
    task: 'DailyReport',
    parameters: { date: '2026-11-20' },
    workers: 1,
    attempt: '1',
    claimed: {},
    ...more,
  };
}

/** What waits for the time to pass, waits less. */
function impatientClock(): Clock {
  let slept = 0;
  return {
    now: () => Date.now() + slept,
    sleep: async (ms) => {
      slept += ms;
      await new Promise((resolve) => setTimeout(resolve, 1));
    },
  };
}

/** A gateway's runs on a store in a folder of its own, which can end and begin again. */
export class RunsFixture {
  readonly folder = mkdtempSync(join(tmpdir(), 'plumbline-runs-'));
  readonly machine = new FakeMachine();
  readonly audit = new MemoryAudit();
  readonly logged: string[] = [];
  policy = new FakePolicy(roleOf('etl'));
  launcher = new FakeLauncher(this.machine);
  options: Partial<RunServiceOptions> = {};
  store!: Store;
  service!: RunService;

  /** Where the store lies. */
  file = join(this.folder, 'store.sqlite');

  async start(): Promise<RunService> {
    this.store = await Store.open(this.file, impatientClock());
    this.service = await RunService.start({
      store: this.store,
      launcher: this.launcher,
      audit: this.audit,
      policy: () => this.policy,
      code: {
        prepare: async () => ({
          python: { path: '/usr/bin/python3', version: '3.13.0', luigiVersion: '3.8.1' },
          workingDirectory: '/srv/code',
          modulePath: [],
          facts: { kind: 'installed', digest: `sha256:${'d'.repeat(64)}` },
        }),
      },
      secrets: { read: async () => [] },
      limits: { runs: 1_000, queued: 1_000, queuedPerCaller: 1_000 },
      scheduler: 'local',
      cancelWaitMs: 2_000,
      log: (message, facts) => this.logged.push(`${message} ${JSON.stringify(facts)}`),
      ...this.options,
    });
    return this.service;
  }

  async stop(): Promise<void> {
    await this.service.close();
    await this.store.close();
  }

  async restart(): Promise<RunService> {
    await this.stop();
    this.launcher = new FakeLauncher(this.machine);
    return this.start();
  }

  async remove(): Promise<void> {
    await this.stop().catch(() => undefined);
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Waits until the run is as described; a minute of nothing is a failure of the test by its time-out. */
  async until(id: string, is: (run: RunRecord) => boolean, caller = callerOf()): Promise<RunRecord> {
    for (;;) {
      const run = await this.service.read(caller, id);
      if (is(run)) return run;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }
}

export async function eventually(is: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await is())) await new Promise((resolve) => setTimeout(resolve, 2));
}

export const isOver = ({ outcome }: RunRecord): boolean => outcome !== undefined;
export const isRunning = ({ state }: RunRecord): boolean => state === 'running';
