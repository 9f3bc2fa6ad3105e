import type { Dataset } from '#core/dataset.ts';
import type { GraphNode, TaskGraph } from '#core/graph.ts';
import type { RunUpdate, TaskFailure, TaskRecord, TaskState } from '#core/run.ts';
import { userFrame } from '../user-frame.ts';
import type { EventOf, Target, WorkerEvent } from './worker-event.ts';

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/**
 * A record under construction. `suspended`: it waits for dynamic dependencies, so its next start is no new attempt. `early`: a
 * child told of its failure before the worker told of its start; two processes write. `shown`: a follower knows of it.
 */
type Entry = Mutable<TaskRecord> & { suspended: boolean; early: boolean; shown: boolean };

const ENDED: ReadonlySet<TaskState> = new Set(['done', 'complete', 'failed', 'disabled', 'died']);
const END_STATES: ReadonlyMap<string, TaskState> = new Map([
  ['DONE', 'done'],
  ['FAILED', 'failed'],
  ['DISABLED', 'disabled'],
]);

/** How much is left of what a worker's end leaves open. */
export type Ending =
  /** Luigi ended by its own rules: what still waits could not run. */
  | 'orderly'
  /** The processes are gone: what ran has died, what waited was not reached. */
  | 'broken'
  /** Nobody knows. */
  | 'lost';

/**
 * Folds a worker's events into one record for each task. Each event costs the same however many tasks there are; records
 * that were handed out never change.
 */
export class TaskLedger {
  readonly #entries = new Map<string, Entry>();
  /** Tasks that could not be built and have no id. */
  readonly #nameless: EventOf<'unschedulable'>[] = [];
  #root: string | undefined;
  #started = 0;

  get root(): string | undefined {
    return this.#root;
  }

  /** Whether the `run()` of any task began. */
  get anythingRan(): boolean {
    return this.#started > 0;
  }

  get nameless(): readonly EventOf<'unschedulable'>[] {
    return this.#nameless;
  }

  get(id: string): TaskRecord | undefined {
    const entry = this.#entries.get(id);
    return entry && recordOf(entry);
  }

  records(): readonly TaskRecord[] {
    return [...this.#entries.values()].map(recordOf);
  }

  graph(): TaskGraph | undefined {
    if (this.#root === undefined) return undefined;
    const nodes = new Map<string, GraphNode>();
    for (const { id, family, dependsOn } of this.#entries.values()) nodes.set(id, { id, family, dependsOn });
    return { root: this.#root, nodes };
  }

  /** Takes an event in; gives what changed for a follower. */
  fold(event: WorkerEvent): readonly RunUpdate[] {
    switch (event.e) {
      case 'root':
        this.#root = event.task;
        return this.#known(event);
      case 'task':
        return this.#told(event);
      case 'deps':
        return this.#suspend(event);
      case 'start':
        return this.#start(event.task, event.at);
      case 'batch':
        return event.members.flatMap((member) => (member === event.task ? [] : this.#start(member, event.at)));
      case 'end':
        return this.#end(event);
      case 'failure':
        return this.#fail(event.task, 'failed', failureOf(event), event.at);
      case 'died':
        return this.#fail(event.task, 'died', deathOf(event), event.at);
      case 'stalled':
        return event.task === undefined ? [] : this.#fail(event.task, 'died', stallOf(event.why), event.at);
      case 'rejected':
        return event.task === undefined ? [] : this.#fail(event.task, 'failed', rejectionOf(event), event.at);
      case 'unschedulable':
        return this.#unschedulable(event);
      case 'elsewhere':
        return this.#elsewhere(event);
      default:
        return this.#annotate(event);
    }
  }

  /** Settles what the run's end leaves open. */
  settle(ending: Ending, at: number): readonly RunUpdate[] {
    const updates: RunUpdate[] = [];
    const open = [...this.#entries.values()].filter(({ state }) => state === 'pending' || state === 'running');
    const settled = open.map((entry) => [entry, this.#settled(entry, ending)] as const);
    for (const [entry, state] of settled) {
      if (state === 'died') entry.endedAt = at;
      updates.push(...this.#move(entry, state, at));
    }
    return updates;
  }

  #settled({ state, dependsOn }: Entry, ending: Ending): TaskState {
    if (ending === 'lost') return 'unknown';
    if (state === 'running') return 'died';
    return ending === 'orderly' && dependsOn.some((id) => !this.#isGood(id)) ? 'blocked' : 'pending';
  }

  #isGood(id: string): boolean {
    const state = this.#entries.get(id)?.state;
    return state === 'done' || state === 'complete';
  }

  #entry(id: string): Entry {
    const known = this.#entries.get(id);
    if (known) return known;
    const entry: Entry = {
      id,
      family: familyOf(id),
      parameters: {},
      state: 'pending',
      dependsOn: [],
      attempts: 0,
      inputs: [],
      outputs: [],
      suspended: false,
      early: false,
      shown: false,
    };
    this.#entries.set(id, entry);
    return entry;
  }

  #known({ task, family, params, at }: EventOf<'root'>): RunUpdate[] {
    const entry = this.#entry(task);
    entry.family = family;
    entry.parameters = params;
    return this.#move(entry, entry.state, at);
  }

  #told(event: EventOf<'task'>): RunUpdate[] {
    const entry = this.#entry(event.task);
    if (event.family) entry.family = event.family;
    if (event.module) entry.module = event.module;
    entry.parameters = event.params;
    this.#depend(entry, event.deps);
    return this.#move(entry, toldState(entry, event), event.at);
  }

  #suspend({ task, deps, at }: EventOf<'deps'>): RunUpdate[] {
    const entry = this.#entry(task);
    this.#depend(entry, deps);
    entry.suspended = true;
    return this.#move(entry, 'pending', at);
  }

  #depend(entry: Entry, deps: readonly string[]): void {
    if (deps.length > 0) entry.dependsOn = [...new Set([...entry.dependsOn, ...deps])];
  }

  #start(id: string, at: number): RunUpdate[] {
    const entry = this.#entry(id);
    this.#started += 1;
    if (!entry.suspended) entry.attempts += 1;
    entry.suspended = false;
    entry.startedAt ??= at;
    entry.endedAt = undefined;
    if (!entry.early) entry.failure = undefined;
    entry.early = false;
    return this.#move(entry, 'running', at);
  }

  #end({ task, status, at }: EventOf<'end'>): RunUpdate[] {
    const entry = this.#entry(task);
    const state = END_STATES.get(status) ?? 'unknown';
    entry.endedAt = at;
    if (state === 'done') entry.failure = undefined;
    return this.#move(entry, state === 'failed' && entry.state === 'died' ? 'died' : state, at);
  }

  #fail(id: string, state: TaskState, failure: TaskFailure, at: number): RunUpdate[] {
    const entry = this.#entry(id);
    entry.early = entry.state !== 'running';
    entry.failure = failure;
    entry.endedAt = at;
    return this.#move(entry, state, at);
  }

  #unschedulable(event: EventOf<'unschedulable'>): RunUpdate[] {
    if (event.task === undefined) {
      this.#nameless.push(event);
      return [];
    }
    const entry = this.#entry(event.task);
    if (event.family) entry.family = event.family;
    entry.failure = failureOf(event);
    return this.#move(entry, 'unschedulable', event.at);
  }

  #elsewhere({ task, at }: EventOf<'elsewhere'>): RunUpdate[] {
    const entry = this.#entry(task);
    return this.#move(entry, entry.state === 'pending' ? 'elsewhere' : entry.state, at);
  }

  /** What changes a task's record but not its state. */
  #annotate(event: WorkerEvent): RunUpdate[] {
    switch (event.e) {
      case 'inputs':
      case 'outputs': {
        const entry = this.#entry(event.task);
        entry[event.e] = merged(entry[event.e], event.targets);
        return [];
      }
      case 'status':
        return this.#status(event, { statusMessage: event.message });
      case 'progress':
        return this.#status(event, { progress: Math.min(100, Math.max(0, event.percent)) });
      case 'tracking':
        return this.#status(event, { trackingUrl: event.url });
      default:
        return [];
    }
  }

  #status({ task, at }: { task: string; at: number }, change: Partial<TaskRecord>): RunUpdate[] {
    const entry = Object.assign(this.#entry(task), change);
    return [{ kind: 'status', task: recordOf(entry), at }];
  }

  #move(entry: Entry, state: TaskState, at: number): RunUpdate[] {
    if (entry.shown && entry.state === state) return [];
    const previous = entry.shown ? entry.state : undefined;
    entry.state = state;
    entry.shown = true;
    return [{ kind: 'task', task: recordOf(entry), previous, at }];
  }
}

/** The scheduler may be told of a task again (a retry, a second parent): that never takes back how it ended. */
function toldState(entry: Entry, { status, external }: EventOf<'task'>): TaskState {
  if (ENDED.has(entry.state) || entry.state === 'running' || entry.state === 'unschedulable') return entry.state;
  if (status === 'DONE') return entry.attempts > 0 ? 'done' : 'complete';
  if (status === 'UNKNOWN') return 'unschedulable';
  if (status === 'FAILED' || status === 'DISABLED') return END_STATES.get(status) ?? 'failed';
  return external ? 'missing' : 'pending';
}

function recordOf({ suspended: _, early: __, shown: ___, ...record }: Entry): TaskRecord {
  return record;
}

/** Luigi's ids begin with the family: `sales.Load_north_2026_99914b932b`; only for tasks that nobody described. */
function familyOf(id: string): string {
  return id.split('_')[0] ?? id;
}

function failureOf(event: EventOf<'failure'> | EventOf<'unschedulable'>): TaskFailure {
  const { type, message, traceback, frames } = event;
  return { type, message, traceback, frame: userFrame(frames, 'luigi') };
}

function deathOf({ exitCode, signal }: EventOf<'died'>): TaskFailure {
  const how = signal === undefined ? `exit status ${exitCode ?? 'unknown'}` : signal;
  return { type: 'ProcessDied', message: `Its process ended without a result (${how}).`, traceback: '' };
}

function stallOf(why: string): TaskFailure {
  return { type: 'ProcessStalled', message: why, traceback: '' };
}

/** No exception of Python's has a space in its name. */
export const IDENTITY_REJECTED = 'Identity rejected';

function rejectionOf({ reason, message }: EventOf<'rejected'>): TaskFailure {
  return { type: IDENTITY_REJECTED, message: `${reason}: ${message}`, traceback: '' };
}

/** Targets without a name cannot be told apart and name no data set: left out. */
function merged(known: readonly Dataset[], targets: readonly Target[]): readonly Dataset[] {
  const all = new Map(known.map((dataset) => [`${dataset.namespace}\n${dataset.name}`, dataset]));
  for (const { type, namespace, name } of targets) {
    if (namespace !== undefined && name !== undefined) all.set(`${namespace}\n${name}`, { namespace, name, type });
  }
  return [...all.values()];
}
