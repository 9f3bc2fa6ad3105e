import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { PlumblineError } from '#core/errors.ts';
import type { RunRef, RunState } from '#core/run.ts';
import type { Engine, FoundRun } from '#engines/engine.ts';
import { ADOPTION_TABLE, type OnExistingRun, type Standing, standingOf, startOrAdopt } from '#run/start-or-adopt.ts';

type Request = { readonly id: string; readonly attempt: string };

const ref = (id: string): RunRef => ({ id, engine: 'memory', handle: id });

/** An engine that remembers runs; those given are there already. */
function engineWith(
  ...runs: { id: string; state: RunState; attempt: string }[]
): Engine<Request> & { started: string[]; resumed: string[] } {
  const known = new Map<string, FoundRun>(runs.map(({ id, ...run }) => [id, { ref: ref(id), ...run }]));
  const started: string[] = [];
  const resumed: string[] = [];
  return {
    name: 'memory',
    capabilities: { survivesCaller: true, taskLogs: false, staticGraph: false },
    started,
    resumed,
    resume: async ({ id }, attempt) => {
      resumed.push(`${id} in attempt ${attempt}`);
      return ref(id);
    },
    start: async ({ id, attempt }) => {
      started.push(id);
      known.set(id, { ref: ref(id), state: 'running', attempt });
      return ref(id);
    },
    find: async (id) => known.get(id),
    follow: () => assert.fail('nobody follows here'),
    cancel: () => assert.fail('nobody cancels here'),
    graph: () => assert.fail('nobody asks for a graph'),
  };
}

const STANDINGS: Record<Standing, Parameters<typeof engineWith>> = {
  none: [],
  alive: [{ id: 'key', state: 'running', attempt: '1' }],
  unsuccessful: [{ id: 'key', state: 'failed', attempt: '2' }],
  succeeded: [{ id: 'key', state: 'succeeded', attempt: '2' }],
  'succeeded-before': [{ id: 'key', state: 'succeeded', attempt: '1' }],
};
const signal = new AbortController().signal;

const CHOICES = ['adopt', 'fail', 'new', 'clearFailed'] as const satisfies OnExistingRun[];
const CELLS = (Object.keys(STANDINGS) as Standing[]).flatMap((standing) =>
  CHOICES.map((choice) => [standing, choice] as const),
);

const EXPECTED = {
  start: (standing: Standing) => {
    const id = standing === 'none' ? 'key' : 'key~2';
    return { id, how: 'started', started: [id], resumed: [] };
  },
  adopt: () => ({ id: 'key', how: 'adopted', started: [], resumed: [] }),
  resume: () => ({ id: 'key', how: 'resumed', started: [], resumed: ['key in attempt 2'] }),
  refuse: () => ({ code: 'ERR_RUN_EXISTS', started: [], resumed: [] }),
} as const;

async function decide(standing: Standing, choice: OnExistingRun): Promise<object> {
  const engine = engineWith(...STANDINGS[standing]);
  try {
    const { ref: run, how } = await startOrAdopt(engine, { id: 'key', attempt: '2' }, choice, signal);
    return { id: run.id, how, started: engine.started, resumed: engine.resumed };
  } catch (error) {
    return { code: (error as PlumblineError).code, started: engine.started, resumed: engine.resumed };
  }
}

describe('the same run, once', () => {
  for (const [standing, choice] of CELLS) {
    const decision = ADOPTION_TABLE[standing][choice];
    it(`${decision}s when the newest run is ${standing} and onExistingRun is ${choice}`, async () => {
      assert.deepEqual(await decide(standing, choice), EXPECTED[decision](standing));
    });
  }

  it('looks at the newest run of the key', async () => {
    const engine = engineWith(
      { id: 'key', state: 'failed', attempt: '1' },
      { id: 'key~2', state: 'cancelled', attempt: '1' },
      { id: 'key~3', state: 'running', attempt: '1' },
    );
    assert.equal((await startOrAdopt(engine, { id: 'key', attempt: '1' }, 'adopt', signal)).ref.id, 'key~3');
    const ended = engineWith(
      { id: 'key', state: 'failed', attempt: '1' },
      { id: 'key~2', state: 'failed', attempt: '1' },
    );
    assert.equal((await startOrAdopt(ended, { id: 'key', attempt: '1' }, 'adopt', signal)).ref.id, 'key~3');
  });

  it('finds the newest run also where somebody deleted one before it', async () => {
    const alive = { state: 'running', attempt: '1' } as const;
    for (const runs of [[], [{ id: 'key', state: 'failed', attempt: '1' }] as const]) {
      const id = runs.length === 0 ? 'key~2' : 'key~3';
      const engine = engineWith(...runs, { id, ...alive });
      assert.equal((await startOrAdopt(engine, { id: 'key', attempt: '1' }, 'adopt', signal)).ref.id, id);
      assert.deepEqual(engine.started, []);
    }
    const ended = engineWith({ id: 'key~2', state: 'failed', attempt: '1' });
    assert.equal((await startOrAdopt(ended, { id: 'key', attempt: '1' }, 'adopt', signal)).ref.id, 'key~3');
  });

  it('starts no further run after a thousand', async () => {
    const engine = {
      ...engineWith(),
      find: async (id: string) => ({ ref: ref(id), state: 'failed', attempt: '1' }) as const,
    };
    await assert.rejects(startOrAdopt(engine, { id: 'key', attempt: '1' }, 'adopt', signal), /1000 runs already/);
  });

  for (const [state, standing] of [
    ['queued', 'alive'],
    ['running', 'alive'],
    ['failed', 'unsuccessful'],
    ['cancelled', 'unsuccessful'],
    ['deadline', 'unsuccessful'],
    ['lost', 'unsuccessful'],
    ['succeeded', 'succeeded'],
  ] as const) {
    it(`takes a run that is ${state} for ${standing}`, () => {
      assert.equal(standingOf({ ref: ref('key'), state, attempt: '1' }, '1'), standing);
    });
  }

  it('resumes nothing where the engine cannot', async () => {
    const { resume: _, ...engine } = engineWith({ id: 'key', state: 'failed', attempt: '1' });
    await assert.rejects(startOrAdopt(engine, { id: 'key', attempt: '1' }, 'clearFailed', signal), TypeError);
    assert.deepEqual(engine.started, []);
  });

  it('stands in docs/outcomes.md as it is decided', () => {
    const page = readFileSync(new URL('../../../docs/outcomes.md', import.meta.url), 'utf8');
    const rows = [...page.matchAll(/^\| `([a-z-]+)`: [^|]*\| (\w+) \| (\w+) \| (\w+) \| (\w+) \|$/gm)];
    const documented = rows.map(([, standing, adopt, fail, create, clearFailed]) => [
      standing,
      { adopt, fail, new: create, clearFailed },
    ]);
    assert.deepEqual(Object.fromEntries(documented), ADOPTION_TABLE);
  });
});
