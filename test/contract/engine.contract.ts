import assert from 'node:assert/strict';
import type { TaskGraph } from '#core/graph.ts';
import type { RunOutcome, RunRef, RunUpdate, TaskState } from '#core/run.ts';
import type { Engine } from '#engines/engine.ts';

/** What an adapter gives so that the contract can be checked against its real engine. */
export interface EngineUnderTest<Request extends { readonly id: string }> {
  readonly engine: Engine<Request>;
  /**
   * A request with this id. `succeeds`: at least two tasks; `fails`: one of its tasks fails; `endless`: goes on until it is
   * cancelled, and one of its tasks is soon running.
   */
  request(kind: 'succeeds' | 'fails' | 'endless', id: string): Request;
  /** The same engine as somebody sees it who did not start the run. */
  other(): Engine<Request>;
  /** Starts the `endless` request from a process that is killed as soon as the run is going. */
  startAndDie(id: string): Promise<RunRef>;
  /**
   * A request whose first task is good and whose second one fails, and does not when it is run again. Present when the engine lets a
   * run go on where it failed.
   */
  failsOnce?(id: string): Request;
  /** An engine with a short limit for the queue, and a request that stays in it; present when the engine has such a limit. */
  queued?(id: string): Promise<{ readonly engine: Engine<Request>; readonly request: Request; readonly why: RegExp }>;
  /** How often each task was tried, by its id, as the server itself says; absent: once, in a run that succeeds. */
  attempts?(ref: RunRef): Promise<Readonly<Record<string, number>>>;
  close(): Promise<void>;
}

/** What the port leaves to an engine, and the contract has to know beforehand. */
export interface EngineTraits {
  /** What a run is asked for is one of its tasks; else the graph has a root of its own. @default true */
  readonly hasRootTask?: boolean;
  /** It gives `failsOnce`. @default false */
  readonly resumes?: boolean;
  /** It gives `queued`. @default false */
  readonly limitsQueue?: boolean;
  /** For one test. @default 60_000 */
  readonly timeoutMs?: number;
}

const signal = new AbortController().signal;
const ENDED = new Set(['succeeded', 'failed', 'cancelled', 'lost', 'deadline']);

/** The contract of the engine port, for every adapter: call it in a test file of the adapter. */
export function describeEngine<Request extends { readonly id: string }>(
  name: string,
  create: () => Promise<EngineUnderTest<Request>>,
  { hasRootTask = true, resumes = false, limitsQueue = false, timeoutMs = 60_000 }: EngineTraits = {},
): void {
  describe(`${name} as an engine`, function () {
    this.timeout(timeoutMs);
    let under: EngineUnderTest<Request>;
    let id: string;
    beforeEach(async () => {
      under = await create();
      id = `contract-${process.pid}-${Date.now()}`;
    });
    afterEach(() => under.close());

    const start = (kind: 'succeeds' | 'fails' | 'endless') => under.engine.start(under.request(kind, id), signal);

    it('has a name, and says what it can do', () => {
      assert.match(under.engine.name, /^[a-z][a-z-]*$/);
      for (const value of Object.values(under.engine.capabilities)) assert.equal(typeof value, 'boolean');
    });

    it('starts nothing when it is cancelled already', async () => {
      const reason = new Error('cancelled');
      await assert.rejects(under.engine.start(under.request('succeeds', id), AbortSignal.abort(reason)), reason);
      assert.equal(await under.engine.find(id, signal), undefined);
    });

    it('starts one run for one id', async () => {
      const ref = await start('succeeds');
      assert.deepEqual([ref.id, ref.engine], [id, under.engine.name]);
      assert.deepEqual(await start('succeeds'), ref);
      assert.deepEqual(await under.other().start(under.request('succeeds', id), signal), ref);
      await end(under.engine, ref);
    });

    it('finds a run by its id, alive and ended, and no other', async () => {
      assert.equal(await under.engine.find(id, signal), undefined);
      const ref = await start('endless');
      const alive = await under.engine.find(id, signal);
      assert.deepEqual(alive?.ref, ref);
      assert.ok(alive && ['queued', 'running'].includes(alive.state));
      await under.engine.cancel(ref, 'cancelled');
      await end(under.engine, ref);
      assert.equal((await under.other().find(id, signal))?.state, 'cancelled');
    });

    it('tells every transition in order, and the outcome last', async () => {
      const { updates, outcome } = await end(under.engine, await start('succeeds'));
      assert.deepEqual([outcome.state, outcome.adopted], ['succeeded', false], outcome.summary);
      assert.equal(updates.filter(({ kind }) => kind === 'outcome').length, 1);
      assert.deepEqual(lastStates(updates), Object.fromEntries(outcome.tasks.map((task) => [task.id, task.state])));
      assert.ok(outcome.tasks.length >= 2);
      assert.equal(
        outcome.tasks.some((task) => task.id === outcome.rootTaskId),
        hasRootTask,
      );
      assert.equal(outcome.rootTaskId !== undefined, hasRootTask);
    });

    it('tells the states of a run in their order, each once', async () => {
      const { updates } = await end(under.engine, await start('succeeds'));
      const states = updates.flatMap((update) => (update.kind === 'state' ? [update.state] : []));
      assert.deepEqual(states, [...new Set(states)]);
      assert.deepEqual(states.slice(-2), ['running', 'succeeded']);
    });

    it('tells a task that ran as running, with a start before its end', async () => {
      const ref = await start('succeeds');
      const { updates, outcome } = await end(under.engine, ref);
      const expected = await under.attempts?.(ref);
      for (const { id, state, attempts, startedAt, endedAt } of outcome.tasks) {
        if (state !== 'done') continue;
        const told = updates.flatMap((update) => (update.kind === 'task' && update.task.id === id ? [update] : []));
        assert.ok(
          told.some(({ task }) => task.state === 'running'),
          id,
        );
        assert.ok(startedAt !== undefined && endedAt !== undefined && startedAt <= endedAt, id);
        assert.ok(attempts >= 1, id);
        assert.equal(attempts, expected === undefined ? 1 : expected[id], id);
      }
    });

    it('tells of a failure with an error', async () => {
      const { outcome } = await end(under.engine, await start('fails'));
      assert.equal(outcome.state, 'failed');
      assert.ok(outcome.findings.some(({ severity }) => severity === 'error'));
      assert.ok(outcome.tasks.some((task) => task.state === 'failed' && task.failure));
    });

    it('gives the same outcome to whoever comes later', async () => {
      const ref = await start('fails');
      const { outcome } = await end(under.engine, ref);
      const { outcome: later } = await end(under.other(), ref);
      const facts = ({ state, verified, tasks, findings }: RunOutcome) => ({ state, verified, tasks, findings });
      assert.deepEqual(facts(later), facts(outcome));
      assert.equal(later.adopted, true);
    });

    it('goes on when a follower leaves', async () => {
      const ref = await start('endless');
      await running(under.engine, ref);
      const found = await under.engine.find(id, signal);
      assert.equal(found?.state, 'running');
      await under.engine.cancel(ref, 'deadline');
    });

    it('lets a follower stop following', async () => {
      const ref = await start('endless');
      const controller = new AbortController();
      const following = (async () => {
        for await (const _ of under.engine.follow(ref, controller.signal)) controller.abort(new Error('enough'));
      })();
      await assert.rejects(following, /enough/);
      await under.engine.cancel(ref, 'deadline');
    });

    for (const reason of ['cancelled', 'deadline'] as const) {
      it(`stops a run (${reason}) and remembers why`, async () => {
        const ref = await start('endless');
        await running(under.engine, ref);
        assert.ok(['stopped', 'requested'].includes(await under.engine.cancel(ref, reason)));
        const { outcome } = await end(under.engine, ref);
        assert.equal(outcome.state, reason);
        assert.ok(outcome.findings.length > 0);
      });
    }

    it('leaves a run that has ended as it is, when it is cancelled then', async () => {
      const ref = await start('succeeds');
      await end(under.engine, ref);
      assert.equal(await under.engine.cancel(ref, 'cancelled'), 'stopped');
      assert.equal((await under.engine.find(id, signal))?.state, 'succeeded');
    });

    it('goes on without its caller, or ends by itself, as its capabilities say', async () => {
      const ref = await under.startAndDie(id);
      const found = await under.engine.find(id, signal);
      const { survivesCaller } = under.engine.capabilities;
      assert.deepEqual(found?.ref, ref);
      assert.equal(found && ['queued', 'running'].includes(found.state), survivesCaller);
      await under.engine.cancel(ref, 'cancelled');
      if (survivesCaller) assert.equal((await end(under.engine, ref)).outcome.state, 'cancelled');
    });

    it('knows the graph of a run', async () => {
      const ref = await start('succeeds');
      const { outcome } = await end(under.engine, ref);
      const graph = await under.engine.graph(ref, signal);
      const tasks = outcome.tasks.map((task) => task.id);
      assert.deepEqual([...graph.nodes.keys()].sort(), [...tasks, ...(hasRootTask ? [] : [graph.root])].sort());
      if (hasRootTask) assert.equal(graph.root, outcome.rootTaskId);
      assert.deepEqual([...reached(graph)].sort(), [...graph.nodes.keys()].sort());
      for (const other of [...graph.nodes.values()].flatMap((node) => node.dependsOn))
        assert.ok(graph.nodes.has(other));
    });

    if (resumes) {
      it('lets a run that failed go on where it failed, for another attempt', async () => {
        const request = under.failsOnce?.(id);
        assert.ok(request && under.engine.resume);
        const ref = await under.engine.start(request, signal);
        const { outcome: before } = await end(under.engine, ref);
        assert.equal(before.state, 'failed');
        assert.deepEqual(await under.engine.resume(ref, 'second.1', signal), ref);
        const { outcome: after } = await end(under.engine, ref);
        assert.equal(after.state, 'succeeded', after.summary);
        assert.equal(after.adopted, false);
        assert.deepEqual(attempts(after).sort(), [1, 2]);
        const found = await under.other().find(id, signal);
        assert.deepEqual([found?.state, found?.attempt], ['succeeded', 'second.1']);
      });

      it('lets nothing go on that is not there', async () => {
        const ref = { id, engine: under.engine.name, handle: '/nonexistent' };
        await assert.rejects(async () => under.engine.resume?.(ref, 'second.1', signal), { name: 'PlumblineError' });
      });
    } else {
      it('says that it cannot let a run go on', () => {
        assert.equal(under.engine.resume, undefined);
      });
    }

    if (limitsQueue) {
      it('stops a run that stays in the queue for too long, and says what it waits for', async () => {
        const queued = await under.queued?.(id);
        assert.ok(queued);
        const { updates, outcome } = await end(queued.engine, await queued.engine.start(queued.request, signal));
        assert.equal(outcome.state, 'deadline');
        const [finding] = outcome.findings;
        assert.deepEqual([finding?.severity, finding?.code], ['error', 'ERR_RUN_QUEUED']);
        assert.match(finding?.message ?? '', queued.why);
        assert.ok(!updates.some((update) => update.kind === 'task' && update.task.state === 'running'));
        assert.equal((await under.other().find(id, signal))?.state, 'deadline');
      });
    }

    it('does not know a run that was never started', async () => {
      const ref = { id, engine: under.engine.name, handle: '/nonexistent' };
      await assert.rejects(end(under.engine, ref), { name: 'PlumblineError' });
    });
  });
}

async function end<Request extends { readonly id: string }>(engine: Engine<Request>, ref: RunRef) {
  const updates: RunUpdate[] = [];
  for await (const update of engine.follow(ref, signal)) updates.push(update);
  const last = updates.at(-1);
  assert.ok(last?.kind === 'outcome' && ENDED.has(last.outcome.state));
  return { updates, outcome: last.outcome };
}

async function running<Request extends { readonly id: string }>(engine: Engine<Request>, ref: RunRef): Promise<void> {
  for await (const update of engine.follow(ref, signal)) {
    if (update.kind === 'task' && update.task.state === 'running') return;
  }
  assert.fail('no task was ever running');
}

function attempts({ tasks }: RunOutcome): number[] {
  return tasks.map((task) => task.attempts);
}

/** What the root depends on, however far away. */
function reached({ root, nodes }: TaskGraph): ReadonlySet<string> {
  const found = new Set<string>();
  const open = [root];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    if (found.has(id)) continue;
    found.add(id);
    open.push(...(nodes.get(id)?.dependsOn ?? []));
  }
  return found;
}

/** Every transition must begin where the one before ended. */
function lastStates(updates: readonly RunUpdate[]): Record<string, TaskState> {
  const states: Record<string, TaskState> = {};
  for (const update of updates) {
    if (update.kind !== 'task') continue;
    assert.equal(update.previous, states[update.task.id], update.task.id);
    states[update.task.id] = update.task.state;
  }
  return states;
}
