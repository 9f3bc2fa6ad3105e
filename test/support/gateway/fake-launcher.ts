import type { RunOutcome, RunUpdate, TaskRecord } from '#core/run.ts';
import type { CancelReason } from '#engines/engine.ts';
import type { Launch, Launcher, OutputPart, Recovered } from '../../../src/gateway/launch/launcher.ts';

/** A worker as the world sees it: it outlives every launcher that looks at it. */
export interface FakeWorker {
  readonly launch: Launch;
  readonly updates: RunUpdate[];
  readonly changed: Set<() => void>;
  stopAsked: CancelReason | undefined;
  lost: boolean;
}

/** The machine: folders and workers stay when a gateway ends. A claim, once taken, is never given again. */
export class FakeMachine {
  readonly workers = new Map<string, FakeWorker>();
  readonly revoked = new Set<string>();
  readonly removed: string[] = [];
  /** Every start, in order, `run.attempt`. */
  readonly starts: string[] = [];

  worker(runId: string, attempt = 1): FakeWorker {
    const worker = this.workers.get(`${runId}.${attempt}`);
    if (!worker) throw new Error(`No worker of ${runId}.${attempt}`);
    return worker;
  }

  alive(): readonly FakeWorker[] {
    return [...this.workers.values()].filter((worker) => !worker.lost && !hasOutcome(worker));
  }

  tell(worker: FakeWorker, ...updates: RunUpdate[]): void {
    worker.updates.push(...updates);
    for (const wake of [...worker.changed]) wake();
  }

  finish(worker: FakeWorker, state: RunOutcome['state'] = 'succeeded', more: Partial<RunOutcome> = {}): void {
    if (hasOutcome(worker)) return;
    const outcome = outcomeOf(state, more);
    this.tell(worker, { kind: 'state', state, at: 2 }, { kind: 'outcome', outcome });
  }

  /** The process is gone and left no word. */
  lose(worker: FakeWorker): void {
    worker.lost = true;
    const code = 'ERR_RUN_LOST';
    this.finish(worker, 'lost', { findings: [{ severity: 'error', code, message: 'the worker is gone' }] });
  }
}

export function outcomeOf(state: RunOutcome['state'], more: Partial<RunOutcome> = {}): RunOutcome {
  return {
    state,
    verified: state === 'succeeded' ? 'confirmed' : 'unknown',
    tasks: [],
    findings: state === 'succeeded' ? [] : [{ severity: 'error', code: 'ERR_RUN_FAILED', message: 'it failed' }],
    startedAt: 1,
    endedAt: 2,
    engine: { name: 'luigi', adapterVersion: '1' },
    adopted: false,
    ...more,
  };
}

export function taskOf(id: string, more: Partial<TaskRecord> = {}): TaskRecord {
  const given = { id, family: id, parameters: {}, state: 'running', dependsOn: [], attempts: 1 } as const;
  return { ...given, inputs: [], outputs: [], ...more };
}

function hasOutcome({ updates }: FakeWorker): boolean {
  return updates.at(-1)?.kind === 'outcome';
}

/** A launcher that behaves as the port says. */
export class FakeLauncher implements Launcher {
  readonly isolation = 'none';
  readonly machine: FakeMachine;
  /** What a worker does when it is asked to stop; by default it ends. */
  onStop: (worker: FakeWorker, reason: CancelReason) => void;
  onStart: (launch: Launch) => Promise<void> | void = () => {};

  constructor(machine: FakeMachine) {
    this.machine = machine;
    this.onStop = (worker, reason) => machine.finish(worker, reason);
  }

  async start(launch: Launch): Promise<void> {
    await this.onStart(launch);
    const key = `${launch.runId}.${launch.attempt}`;
    if (this.machine.workers.has(key) || this.machine.revoked.has(key)) throw new Error(`${key} was claimed before`);
    this.machine.starts.push(key);
    const updates: RunUpdate[] = [{ kind: 'state', state: 'running', at: 1 }];
    this.machine.workers.set(key, { launch, updates, changed: new Set(), stopAsked: undefined, lost: false });
  }

  uidOf(runId: string, attempt: number): number | undefined {
    return this.machine.workers.has(`${runId}.${attempt}`) ? 61_001 : undefined;
  }

  async recover(runId: string, attempt: number): Promise<Recovered> {
    const key = `${runId}.${attempt}`;
    const worker = this.machine.workers.get(key);
    if (worker === undefined) {
      this.machine.revoked.add(key);
      return 'neverStarted';
    }
    return worker.lost ? 'lost' : hasOutcome(worker) ? 'ended' : 'alive';
  }

  async *follow(runId: string, attempt: number, signal: AbortSignal): AsyncGenerator<RunUpdate> {
    const worker = this.machine.worker(runId, attempt);
    for (let next = 0; ; ) {
      signal.throwIfAborted();
      const update = worker.updates[next];
      if (update === undefined) {
        await changed(worker, signal);
        continue;
      }
      next += 1;
      yield update;
      if (update.kind === 'outcome') return;
    }
  }

  async stop(runId: string, attempt: number, reason: CancelReason): Promise<'stopped' | 'requested'> {
    const worker = this.machine.worker(runId, attempt);
    worker.stopAsked = reason;
    if (!hasOutcome(worker)) this.onStop(worker, reason);
    return hasOutcome(worker) ? 'stopped' : 'requested';
  }

  async output(): Promise<OutputPart> {
    return { bytes: Buffer.from('output'), total: 6, droppedBytes: 0 };
  }

  async remove(runId: string, attempt: number): Promise<void> {
    this.machine.removed.push(`${runId}.${attempt}`);
    this.machine.workers.delete(`${runId}.${attempt}`);
  }
}

function changed(worker: FakeWorker, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      worker.changed.delete(done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    worker.changed.add(done);
    signal.addEventListener('abort', done, { once: true });
  });
}
