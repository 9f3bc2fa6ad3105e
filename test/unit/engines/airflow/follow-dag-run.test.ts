import assert from 'node:assert/strict';
import { PlumblineError } from '#core/errors.ts';
import type { RunOutcome, RunUpdate } from '#core/run.ts';
import { airflowEngine } from '#engines/airflow/airflow-engine.ts';
import { SightQueue } from '#engines/airflow/sight-queue.ts';
import {
  instance,
  type Moment,
  TimedAirflow,
  type TimedAirflowOptions,
} from '../../../support/airflow/timed-airflow.ts';
import { VirtualClock } from '../../../support/virtual-clock.ts';

const REF = { id: 'r1', engine: 'airflow', handle: 'sales/r1' };
const AWAY = new PlumblineError('ERR_AIRFLOW_UNAVAILABLE', 'Airflow did not answer: the connection was refused', {});
const REFUSED = new PlumblineError('ERR_AIRFLOW_REFUSED', 'Airflow did not show the run r1: Forbidden', {
  remedy: 'Ask.',
});
const ran = (taskId: string, state: string) =>
  instance(taskId, { state, tryNumber: 1, startedAt: 1_000, endedAt: 2_000 });

interface Followed {
  readonly updates: readonly RunUpdate[];
  readonly outcome: RunOutcome;
  readonly airflow: TimedAirflow;
  readonly told: readonly string[];
  /** Milliseconds. */
  readonly took: number;
}

type Options = Omit<TimedAirflowOptions, 'clock' | 'moments'> & {
  readonly queuedMs?: number;
  readonly failOnTaskFailure?: boolean;
  readonly kind?: typeof TimedAirflow;
};

/** The machine of the step sleeps for an hour, and has no network when it wakes. */
class AsleepAirflow extends TimedAirflow {
  readonly #clock: VirtualClock;
  #hasSlept = false;

  constructor(options: TimedAirflowOptions) {
    super(options);
    this.#clock = options.clock;
  }

  override async run(...asked: Parameters<TimedAirflow['run']>) {
    if (this.#hasSlept || this.#clock.passed < 30_000) return super.run(...asked);
    this.#hasSlept = true;
    this.#clock.suspend(3_600_000);
    throw AWAY;
  }
}

/** Nobody may see of what its DAGs are made. */
class SecretiveAirflow extends TimedAirflow {
  override async tasks(): Promise<never> {
    throw REFUSED;
  }
}

/** Its wait says what the run does not. */
class HastyAirflow extends TimedAirflow {
  override async *wait(...asked: Parameters<TimedAirflow['wait']>) {
    for await (const _ of super.wait(...asked)) yield 'success';
  }
}

async function followed(
  moments: readonly Moment[],
  { queuedMs, failOnTaskFailure, kind: Kind = TimedAirflow, ...more }: Options = {},
): Promise<Followed> {
  const clock = new VirtualClock();
  const airflow = new Kind({ clock, moments, ...more });
  const told: string[] = [];
  const log = { debug: () => {}, info: (text: string) => told.push(text) };
  const engine = airflowEngine({
    api: airflow,
    dagId: 'sales',
    clock,
    log,
    random: () => 0.5,
    queuedMs,
    failOnTaskFailure,
  });
  const updates: RunUpdate[] = [];
  const following = async () => {
    for await (const update of engine.follow(REF, new AbortController().signal)) updates.push(update);
  };
  await clock.until(following());
  const last = updates.at(-1);
  assert.ok(last?.kind === 'outcome');
  return { updates, outcome: last.outcome, airflow, told, took: clock.passed };
}

const statesOf = ({ updates }: Followed) =>
  updates.flatMap((update) => (update.kind === 'state' ? [update.state] : []));
const codesOf = ({ outcome }: Followed) => outcome.findings.map(({ severity, code }) => `${severity} ${code}`);

const GOOD: readonly Moment[] = [
  { at: 0, state: 'queued' },
  {
    at: 3_000,
    state: 'running',
    tasks: [instance('a', { state: 'running', tryNumber: 1, startedAt: 900 }), instance('b')],
  },
  { at: 60_000, state: 'success', tasks: [ran('a', 'success'), ran('b', 'success')] },
];

for (const wait of [true, false]) {
  describe(`following a DAG run ${wait ? 'by the wait endpoint' : 'by polling'}`, () => {
    it('tells states and tasks in their order, also of tasks that were over before anybody looked', async () => {
      const run = await followed(GOOD, { wait });
      assert.deepEqual(statesOf(run), ['queued', 'running', 'succeeded']);
      const tasks = run.updates.flatMap((update) =>
        update.kind === 'task' ? [`${update.task.id} ${update.previous ?? '-'} ${update.task.state}`] : [],
      );
      assert.deepEqual(tasks, ['a - running', 'b - pending', 'a running done', 'b pending running', 'b running done']);
      assert.deepEqual([run.outcome.state, run.outcome.verified], ['succeeded', 'confirmed']);
    });

    it('sees the end soon', async () => {
      const { took } = await followed(GOOD, { wait });
      assert.ok(took - 60_000 <= (wait ? 1_200 : 10_200), `${took}`);
    });

    it('keeps to its budget of status requests in a run of ten minutes', async () => {
      const tasks = [ran('a', 'success')];
      const { airflow } = await followed(
        [
          { at: 0, state: 'running', tasks: [instance('a', { state: 'running', tryNumber: 1, startedAt: 900 })] },
          { at: 600_000, state: 'success', tasks },
        ],
        { wait },
      );
      const asked = airflow.count('run', 'runs', 'wait');
      assert.ok(asked <= (wait ? 24 : 75), `${asked} requests`);
      assert.ok(airflow.count('taskInstances') <= 12, `${airflow.count('taskInstances')} reads of tasks`);
    });

    it('is lost, and nothing else, when the server does not come back', async () => {
      const run = await followed([...GOOD.slice(0, 2), { at: 20_000, fails: AWAY }], { wait });
      assert.deepEqual(statesOf(run), ['queued', 'running', 'lost']);
      assert.deepEqual(
        [run.outcome.state, run.outcome.verified, codesOf(run)],
        ['lost', 'unknown', ['error ERR_RUN_LOST']],
      );
      assert.ok(run.took >= 600_000 + 19_000 && run.took < 640_000, `${run.took}`);
      assert.deepEqual(
        run.outcome.tasks.map(({ state }) => state),
        ['unknown', 'unknown'],
      );
      assert.match(run.outcome.findings[0]?.remedy ?? '', /may still be going/);
      assert.equal(run.told.filter((text) => text.includes('does not tell')).length, 1);
    });

    it('goes on when the server was away for nine minutes', async () => {
      const run = await followed(
        [...GOOD.slice(0, 2), { at: 20_000, fails: AWAY }, { ...(GOOD[2] as Moment), at: 560_000 }],
        { wait },
      );
      assert.equal(run.outcome.state, 'succeeded');
      assert.ok(run.took < 571_000, `${run.took}`);
    });

    it('ends, without saying how the run did, when the server refuses', async () => {
      const run = await followed([...GOOD.slice(0, 2), { at: 20_000, fails: REFUSED }], { wait });
      assert.deepEqual(codesOf(run), ['error ERR_RUN_LOST', 'error ERR_AIRFLOW_REFUSED']);
      assert.ok(run.took < 31_000, `${run.took}`);
    });

    it('says that a run was deleted', async () => {
      const run = await followed([...GOOD.slice(0, 2), { at: 20_000 }], { wait });
      assert.deepEqual([run.outcome.state, codesOf(run)], ['lost', ['error ERR_RUN_LOST']]);
      assert.match(run.outcome.summary ?? '', /was deleted in Airflow/);
    });

    it('does not take one answer of 404 for a deletion', async () => {
      const run = await followed(
        [...GOOD.slice(0, 2), { at: 20_000 }, { ...(GOOD[1] as Moment), at: 20_500 }, GOOD[2] as Moment],
        { wait },
      );
      assert.equal(run.outcome.state, 'succeeded');
    });

    it('follows a run on that somebody clears', async () => {
      const run = await followed(
        [
          { at: 0, state: 'running', tasks: [ran('a', 'failed')] },
          { at: 20_000, state: 'queued', tasks: [instance('a', { tryNumber: 1 })] },
          {
            at: 40_000,
            state: 'running',
            tasks: [instance('a', { state: 'running', tryNumber: 2, startedAt: 9_000 })],
          },
          {
            at: 60_000,
            state: 'success',
            tasks: [instance('a', { state: 'success', tryNumber: 2, startedAt: 9_000, endedAt: 9_900 })],
          },
        ],
        { wait },
      );
      assert.deepEqual(statesOf(run), ['running', 'queued', 'running', 'succeeded']);
      assert.deepEqual(
        run.outcome.tasks.map(({ state, attempts, failure }) => [state, attempts, failure]),
        [['done', 2, undefined]],
      );
      assert.ok(run.told.some((text) => text.includes('cleared')));
    });

    it('takes no word for an end that it does not know, and tells it once', async () => {
      const run = await followed(
        [
          { at: 0, state: 'hibernating' },
          { at: 90_000, state: 'success', tasks: [] },
        ],
        { wait },
      );
      assert.deepEqual(statesOf(run), ['running', 'succeeded']);
      assert.deepEqual(run.told.filter((text) => text.includes('hibernating')).length, 1);
    });

    it('stops a run that stays queued for too long, and says why it did', async () => {
      const run = await followed([{ at: 0, state: 'queued', tasks: [instance('a')] }], {
        wait,
        queuedMs: 30_000,
        dag: { isPaused: true },
      });
      assert.deepEqual([run.outcome.state, codesOf(run)], ['deadline', ['error ERR_RUN_QUEUED']]);
      assert.match(run.outcome.summary ?? '', /queued for more than 30 s: the DAG is paused/);
      assert.equal(run.airflow.count('setState'), 1);
      assert.ok(run.took < 42_000, `${run.took}`);
    });

    it('lets a run wait for ever where no limit is set', async () => {
      const run = await followed(
        [
          { at: 0, state: 'queued' },
          { at: 7_200_000, state: 'success', tasks: [] },
        ],
        { wait, queuedMs: 0 },
      );
      assert.equal(run.outcome.state, 'succeeded');
    });
  });
}

describe('following a DAG run', () => {
  it('says when no scheduler is heard of, and how old that can be', async () => {
    const health = { scheduler: 'unhealthy', schedulerHeartbeat: 1_800_000_000_000 - 60_000 };
    const { outcome } = await followed([{ at: 0, state: 'queued' }], { queuedMs: 10_000, health });
    assert.match(outcome.summary ?? '', /its scheduler is unhealthy \(it was last heard of 7\d s ago; after a restart/);
  });

  it('asks in the other way when something keeps the lines of the wait back', async () => {
    const run = await followed(GOOD, { wait: true, isMute: true });
    assert.equal(run.outcome.state, 'succeeded');
    assert.ok(run.airflow.count('wait') <= 2, `${run.airflow.count('wait')}`);
  });

  it('asks no more often when waits are cut at once than it would by polling', async () => {
    const { airflow, outcome } = await followed(
      [
        { at: 0, state: 'running', tasks: [] },
        { at: 600_000, state: 'success', tasks: [] },
      ],
      { wait: true, cutAfter: 1 },
    );
    assert.equal(outcome.state, 'succeeded');
    assert.ok(airflow.count('wait') <= 75, `${airflow.count('wait')}`);
  });

  it('is not lost to a machine that slept: nobody asked meanwhile', async () => {
    const run = await followed(
      [
        { ...(GOOD[1] as Moment), at: 0 },
        { ...(GOOD[2] as Moment), at: 3_700_000 },
      ],
      { kind: AsleepAirflow },
    );
    assert.equal(run.outcome.state, 'succeeded');
  });

  it('believes no wait that says success while the run goes on, and asks no more often for it', async () => {
    const { airflow, outcome, took } = await followed(
      [
        { at: 0, state: 'running', tasks: [] },
        { at: 600_000, state: 'success', tasks: [] },
      ],
      { wait: true, kind: HastyAirflow },
    );
    assert.deepEqual([outcome.state, took >= 600_000], ['succeeded', true]);
    assert.ok(airflow.count('wait') <= 75, `${airflow.count('wait')}`);
  });

  it('does what is due also when the server never stops talking', async () => {
    const sight = { kind: 'state', state: 'queued' } as const;
    const clock = new VirtualClock();
    const sights = new SightQueue(
      (async function* () {
        for (;;) yield sight;
      })(),
      clock,
    );
    assert.equal(await sights.next(clock.now()), undefined);
    assert.deepEqual(await sights.next(clock.now() + 1), sight);
  });

  it('is a success with warnings when failed tasks hide in it, and a failure when that is wanted', async () => {
    const moments = [{ at: 0, state: 'success', tasks: [ran('a', 'failed'), ran('b', 'success')] }];
    const logs = {
      'a#1': ['Traceback (most recent call last):', '  File "/dags/a.py", line 3, in a', 'ValueError: no rows'],
    };
    const green = await followed(moments, { logs });
    assert.deepEqual(
      [green.outcome.state, green.outcome.verified, codesOf(green)],
      ['succeeded', 'confirmed', ['warning ERR_RUN_TASK_FAILED']],
    );
    assert.match(green.outcome.findings[0]?.message ?? '', /^a failed: ValueError: no rows$/);
    const red = await followed(moments, { logs, failOnTaskFailure: true });
    assert.deepEqual([red.outcome.state, codesOf(red)], ['failed', ['error ERR_RUN_TASK_FAILED']]);
  });

  it('says of a success whose tasks nobody may read that it is not verified', async () => {
    const moments = [{ at: 0, state: 'success', tasksFail: REFUSED }];
    const run = await followed(moments);
    assert.deepEqual(
      [run.outcome.state, run.outcome.verified, codesOf(run)],
      ['succeeded', 'unknown', ['warning ERR_RUN_UNVERIFIED']],
    );
    const red = await followed(moments, { failOnTaskFailure: true });
    assert.deepEqual([red.outcome.state, codesOf(red)], ['lost', ['error ERR_RUN_UNVERIFIED']]);
  });

  it('waits for a server that goes away in the moment of the end as it does before', async () => {
    const end = { ...(GOOD[2] as Moment), tasksFail: AWAY };
    const back = await followed([...GOOD.slice(0, 2), end, { ...(GOOD[2] as Moment), at: 400_000 }], {
      failOnTaskFailure: true,
    });
    assert.deepEqual([back.outcome.state, back.outcome.verified], ['succeeded', 'confirmed']);
    const away = await followed([...GOOD.slice(0, 2), end]);
    assert.deepEqual([away.outcome.verified, codesOf(away)], ['unknown', ['warning ERR_RUN_UNVERIFIED']]);
    assert.ok(away.took >= 660_000 && away.took < 700_000, `${away.took}`);
  });

  it('waits a minute, no longer, for a server that answers and fails at the task instances alone', async () => {
    const fails = new PlumblineError('ERR_AIRFLOW_UNAVAILABLE', 'Airflow answered 500', { details: { status: 500 } });
    const run = await followed([...GOOD.slice(0, 2), { ...(GOOD[2] as Moment), tasksFail: fails }]);
    assert.deepEqual(
      [run.outcome.state, run.outcome.verified, codesOf(run)],
      ['succeeded', 'unknown', ['warning ERR_RUN_UNVERIFIED']],
    );
    assert.ok(run.took >= 120_000 && run.took < 140_000, `${run.took}`);
  });

  it('is verified by its task instances also when nobody may see how they depend on each other', async () => {
    const { outcome } = await followed(GOOD, { kind: SecretiveAirflow });
    assert.deepEqual([outcome.state, outcome.verified, outcome.tasks.length], ['succeeded', 'confirmed', 2]);
  });

  it('stays cancelled when a teardown makes a success of it, which is stopped once more', async () => {
    const run = await followed([
      { at: 0, state: 'success', note: 'mine\nplumbline: cancelled', tasks: [ran('drop', 'success')] },
    ]);
    assert.deepEqual([run.outcome.state, codesOf(run)], ['cancelled', ['error ERR_RUN_CANCELLED']]);
    assert.equal(run.airflow.count('setState'), 1);
  });

  it('tells once that a person has to answer', async () => {
    const tasks = [instance('approve', { state: 'awaiting_input', tryNumber: 1, startedAt: 1_000 })];
    const run = await followed([
      { at: 0, state: 'running', tasks },
      { at: 300_000, state: 'success', tasks: [ran('approve', 'success')] },
    ]);
    assert.deepEqual(run.told, [
      'approve waits for the answer of a person in Airflow (awaiting_input): the run goes on when somebody has given it',
    ]);
  });

  it('does not know a run that is not there', async () => {
    await assert.rejects(followed([{ at: 0 }]), { name: 'PlumblineError', code: 'ERR_RUN_LOST' });
  });

  it('fails with what the server says when it refuses from the beginning', async () => {
    await assert.rejects(followed([{ at: 0, fails: REFUSED }]), REFUSED);
  });

  it('says that a log cannot be read, and decides nothing by it', async () => {
    const run = await followed([{ at: 0, state: 'failed', tasks: [ran('a', 'failed')] }]);
    assert.deepEqual(
      [run.outcome.state, codesOf(run)],
      ['failed', ['error ERR_RUN_TASK_FAILED', 'warning ERR_RUN_TASK_FAILED']],
    );
  });
});

describe('following many DAG runs of one server', () => {
  it('reads all of them with one request', async () => {
    const clock = new VirtualClock();
    const moments = [
      { at: 0, state: 'running', tasks: [] },
      { at: 600_000, state: 'success', tasks: [] },
    ];
    const airflow = new TimedAirflow({ clock, moments });
    const engine = airflowEngine({ api: airflow, dagId: 'sales', clock });
    const follow = async (id: string) => {
      for await (const _ of engine.follow(
        { id, engine: 'airflow', handle: `sales/${id}` },
        new AbortController().signal,
      ));
    };
    await clock.until(Promise.all(Array.from({ length: 50 }, (_, index) => follow(`r${index}`))));
    const asked = airflow.count('runs', 'wait') + airflow.count('run') - 50;
    assert.ok(asked <= 90, `${asked} requests for 50 runs`);
  });
});
