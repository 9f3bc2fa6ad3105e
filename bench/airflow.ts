import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RunRef } from '#core/run.ts';
import { type AirflowEngine, airflowEngine } from '#engines/airflow/airflow-engine.ts';
import { openAirflow } from '#engines/airflow/open-airflow.ts';
import { createHttp } from '#http/http.ts';
import { preparedVersions, pythonOf } from '../scripts/python-environments.mjs';
import { ROOT } from '../scripts/repository.ts';
import { type AirflowServer, startAirflow } from '../scripts/start-airflow.ts';
import { AirflowTruth } from '../test/support/airflow/airflow-truth.ts';
import { FaultProxy } from '../test/support/airflow/fault-proxy.ts';
import { type Figure, figure, median } from './figure.ts';

const BENCH = 'airflow';
const DAG = 'sleeper';
const GOALS = {
  waiting: { requests: 24, endMs: 1_000 },
  polling: { requests: 75, endMs: 5_000, intervalMs: 10_000 },
} as const;
/** Seconds for which the runs last that are followed at the same time: their ends lie apart, so that a loop meets each at another moment. */
const LENGTHS = { long: [600, 613, 627, 641, 656], short: [40, 53, 67] } as const;
const CURL_EVERY_SECONDS = 5;
/** A look at the state of runs, as opposed to their task instances and logs. */
const STATUS = /\/dagRuns\/(list$|[^/]+(\/wait\?.*)?$)/;

/**
 * How many requests it takes to follow a run of ten minutes, and how much later than Airflow we know of its end: with the wait
 * endpoint, at a server that has none, for a loop of curl, and for a loop of Airflow's own command. All of them follow the same runs
 * of the same Airflow at the same time; a front of its own counts what each asks. `short` takes runs of a minute: a look at the bench,
 * for which the goals do not stand.
 */
export async function airflow({ short }: { readonly short: boolean }): Promise<readonly Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), 'plumbline-airflow-bench-'));
  const server = await startAirflow({
    line: '3',
    python: pythonOf(ROOT, 'airflow-3', preparedVersions(ROOT, 'airflow-3')[0]),
    folder: join(folder, 'home'),
    dags: join(ROOT, 'test/fixtures/airflow/dags'),
    cache: join(ROOT, '.cache/airflow'),
    settings: { AIRFLOW__CORE__PARALLELISM: '8', AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG: '8' },
  });
  try {
    return figures(await followed(server, folder, short ? LENGTHS.short : LENGTHS.long), short);
  } finally {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What following one run took. */
interface Followed {
  /** Milliseconds from the end that Airflow says to the moment at which the follower knew. */
  readonly endMs: number;
  readonly requests: number;
  readonly statusRequests: number;
  /** Between two looks at the state. */
  readonly longestMs: number;
}

interface Measured {
  readonly waiting: readonly Followed[];
  readonly polling: readonly Followed[];
  readonly curl: readonly Followed[];
  readonly command: readonly Followed[];
}

async function followed(server: AirflowServer, folder: string, lengths: readonly number[]): Promise<Measured> {
  const truth = new AirflowTruth('3', server.url);
  await truth.parsed([DAG]);
  const headers = join(folder, 'headers');
  writeFileSync(headers, `authorization: ${await truth.authorization()}\n`, { mode: 0o600 });
  const runs = lengths.map((seconds, i) => ({ id: `bench-${i}`, seconds }));
  const own = runs.map(async ({ id, seconds }) => {
    const waiting = await Follower.open(server, truth, 'waiting');
    const ref = await waiting.start(id, seconds);
    const polling = await Follower.open(server, truth, 'polling');
    const curl = await CurlLoop.open(server, headers, id);
    return Promise.all([waiting.follow(ref), polling.follow(ref), curl.follow()]);
  });
  const [followers, command] = await Promise.all([
    Promise.all(own),
    commandLoop(
      server,
      runs.map(({ id }) => id),
    ),
  ]);
  const ends = await Promise.all(runs.map(({ id }) => endOf(truth, id)));
  const of = (which: 0 | 1 | 2) => followers.map((each, i) => each[which](ends[i] ?? Number.NaN));
  return {
    waiting: of(0),
    polling: of(1),
    curl: of(2),
    command: command.map((each, i) => each(ends[i] ?? Number.NaN)),
  };
}

/** Known when the end is. */
type Result = (endedAt: number) => Followed;

async function endOf(truth: AirflowTruth, runId: string): Promise<number> {
  const run = await truth.run(DAG, runId);
  if (run?.state !== 'success' || run.end_date === null) throw new Error(`The run ${runId} is ${run?.state}.`);
  return Date.parse(run.end_date);
}

/** Our engine behind a front of its own, as a step has it. */
class Follower {
  readonly #engine: AirflowEngine;
  readonly #front: FaultProxy;

  private constructor(engine: AirflowEngine, front: FaultProxy) {
    this.#engine = engine;
    this.#front = front;
  }

  static async open(server: AirflowServer, truth: AirflowTruth, how: 'waiting' | 'polling'): Promise<Follower> {
    const front = await FaultProxy.to(server.url, how === 'waiting' ? [] : withoutWait());
    const authorization = await truth.authorization();
    const credentials = { headers: async () => ({ authorization }), refused: () => undefined };
    const http = createHttp({ skipVerification: false });
    const api = await openAirflow({ url: front.url, http, credentials }, new AbortController().signal);
    if (api.features.wait !== (how === 'waiting')) throw new Error(`The front for ${how} does not do what it is for.`);
    return new Follower(airflowEngine({ api, dagId: DAG }), front);
  }

  start(id: string, seconds: number): Promise<RunRef> {
    const request = { id, attempt: '1', conf: { seconds }, origin: {} };
    return this.#engine.start(request, new AbortController().signal);
  }

  async follow(ref: RunRef): Promise<Result> {
    for await (const update of this.#engine.follow(ref, new AbortController().signal)) {
      if (update.kind === 'outcome' && update.outcome.state !== 'succeeded')
        throw new Error(`The run ${ref.id} is seen as ${update.outcome.state}.`);
    }
    const at = Date.now();
    await this.#front.close();
    return (endedAt) => counted(this.#front, at - endedAt);
  }
}

/** What an Airflow before 3.1 says of the wait endpoint. */
function withoutWait() {
  const always = { count: Number.POSITIVE_INFINITY };
  return [
    { ...always, path: /^\/openapi\.json$/, fault: { kind: 'answer', status: 200, body: { paths: {} } } },
    { ...always, path: /\/wait\?/, fault: { kind: 'answer', status: 404, body: { detail: 'Not Found' } } },
  ] as const;
}

function counted({ requests }: FaultProxy, endMs: number): Followed {
  const status = requests.filter(({ path }) => STATUS.test(path));
  const gaps = status.slice(1).map(({ at }, i) => at - (status[i]?.at ?? at));
  return { endMs, requests: requests.length, statusRequests: status.length, longestMs: Math.max(0, ...gaps) };
}

/** What people write: until curl … | grep; do sleep 5; done. */
class CurlLoop {
  readonly #child: ChildProcess;
  readonly #front: FaultProxy;

  private constructor(child: ChildProcess, front: FaultProxy) {
    this.#child = child;
    this.#front = front;
  }

  static async open(server: AirflowServer, headers: string, runId: string): Promise<CurlLoop> {
    const front = await FaultProxy.to(server.url);
    const url = `${front.url}/api/v2/dags/${DAG}/dagRuns/${runId}`;
    const ended = `grep -qE '"state": ?"(success|failed)"'`;
    const loop = `until curl --silent --header "@$1" "$2" | ${ended}; do sleep ${CURL_EVERY_SECONDS}; done`;
    return new CurlLoop(spawn('bash', ['-c', loop, 'loop', headers, url], { stdio: 'ignore' }), front);
  }

  async follow(): Promise<Result> {
    await once(this.#child, 'exit');
    const at = Date.now();
    await this.#front.close();
    return (endedAt) => counted(this.#front, at - endedAt);
  }
}

/** `airflow dags state` one run after the other, as fast as it answers: one such loop takes a core of the machine. */
async function commandLoop(server: AirflowServer, runIds: readonly string[]): Promise<readonly Result[]> {
  const results: Result[] = [];
  const calls: number[] = [];
  for (const runId of runIds) {
    for (;;) {
      calls.push(Date.now());
      const { output } = await server.airflow(['dags', 'state', DAG, runId]);
      if (/^(success|failed)\b/m.test(output)) break;
    }
    const at = Date.now();
    const looks = [...calls];
    const longestMs = Math.max(0, ...looks.slice(1).map((look, i) => look - (looks[i] ?? look)));
    results.push((endedAt) => ({
      endMs: at - endedAt,
      requests: looks.length,
      statusRequests: looks.length,
      longestMs,
    }));
  }
  return results;
}

const LONGEST = 'longest interval between two looks without the wait endpoint';

function longest(all: readonly Followed[]): number {
  return Math.max(...all.map(({ longestMs }) => longestMs));
}

function figures({ waiting, polling, curl, command }: Measured, short: boolean): Figure[] {
  const run = short ? 'of a 40-second run' : 'of a 10-minute run';
  // The first of the runs is the one of this length.
  const requests = (all: readonly Followed[]) => all[0]?.statusRequests ?? Number.NaN;
  const ends = (all: readonly Followed[]) => median(all.map(({ endMs }) => endMs));
  const own = { 'with the wait endpoint': waiting, 'without the wait endpoint': polling };
  return [
    ...Object.entries(own).flatMap(([how, all]) => {
      const goal = all === waiting ? GOALS.waiting : GOALS.polling;
      const [asked, late] = [`status requests ${run} ${how}`, `end of a run until it is known, ${how}`];
      return [
        figure(BENCH, `${asked}, against the goal`, requests(all), goal.requests, 'requests'),
        figure(
          BENCH,
          `${asked}, against a curl loop of ${CURL_EVERY_SECONDS} s`,
          requests(all),
          requests(curl),
          'requests',
        ),
        figure(BENCH, `${asked}, against a loop over airflow dags state`, requests(all), requests(command), 'requests'),
        figure(
          BENCH,
          `all requests ${run} ${how}, against a curl loop`,
          all[0]?.requests ?? Number.NaN,
          curl[0]?.requests ?? Number.NaN,
          'requests',
        ),
        figure(BENCH, `${late}, against the goal`, ends(all), goal.endMs, 'ms'),
        figure(BENCH, `${late}, against a curl loop of ${CURL_EVERY_SECONDS} s`, ends(all), ends(curl), 'ms'),
        figure(BENCH, `${late}, against a loop over airflow dags state`, ends(all), ends(command), 'ms'),
      ];
    }),
    figure(BENCH, `${LONGEST}, against the goal`, longest(polling), GOALS.polling.intervalMs, 'ms'),
    // A server that answers nobody for a while shows in both.
    figure(BENCH, `${LONGEST}, against a curl loop of ${CURL_EVERY_SECONDS} s`, longest(polling), longest(curl), 'ms'),
  ];
}
