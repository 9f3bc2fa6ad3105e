import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { RunRef } from '#core/run.ts';
import type { AirflowApi } from '#engines/airflow/airflow-api.ts';
import { type AirflowEngineOptions, airflowEngine } from '#engines/airflow/airflow-engine.ts';
import type { AirflowRunRequest } from '#engines/airflow/airflow-request.ts';
import type { Engine } from '#engines/engine.ts';
import { describeEngine, type EngineUnderTest } from '../contract/engine.contract.ts';
import { type AirflowUnderTest, airflowUnderTest, LINE } from '../support/airflow/airflow-under-test.ts';
import { openedAirflow } from '../support/airflow/engine-under-test.ts';

const PROGRAM = fileURLToPath(new URL('../support/airflow/start-dag-run.ts', import.meta.url));
const DAGS = { succeeds: 'three', fails: 'failing', endless: 'flow_endless' } as const;
const ALL = [...Object.values(DAGS), 'flow_fails_once', 'flow_one_at_a_time'];

describe(`Airflow ${LINE}`, function () {
  this.timeout(240_000);
  let airflow: AirflowUnderTest;
  let api: AirflowApi;
  before(async () => {
    airflow = await airflowUnderTest();
    api = await openedAirflow(airflow.url, airflow.as('steps'));
  });

  describeEngine('airflow', async () => underTest(airflow, api), {
    hasRootTask: false,
    resumes: true,
    limitsQueue: true,
    timeoutMs: 180_000,
  });
});

/** An engine is that of one DAG: the requests of the contract name theirs by the beginning of their ids. */
async function underTest(airflow: AirflowUnderTest, api: AirflowApi): Promise<EngineUnderTest<DagRequest>> {
  const holding = `holds-${Date.now()}`;
  return {
    engine: new ManyDags({ api }),
    request: (kind, id) => requestOf(DAGS[kind], id),
    other: () => new ManyDags({ api }),
    startAndDie: (id) => startAndDie(airflow, requestOf(DAGS.endless, id)),
    failsOnce: (id) => requestOf('flow_fails_once', id),
    queued: async (id) => {
      await airflow.truth.trigger('flow_one_at_a_time', holding);
      await airflow.truth.runIs('flow_one_at_a_time', holding, ['running']);
      const engine = new ManyDags({ api, queuedMs: 2_000 });
      return { engine, request: requestOf('flow_one_at_a_time', id), why: /max_active_runs is 1/ };
    },
    // A scheduler that is busy or starts again can send a task a second time, which Airflow counts.
    attempts: async ({ handle }) => {
      const [dag = '', ...run] = handle.split('/');
      const tasks = await airflow.truth.tasks(dag, run.join('/'));
      return Object.fromEntries(tasks.map(({ task_id, try_number }) => [task_id, try_number]));
    },
    close: async () => {
      if (await airflow.truth.run('flow_one_at_a_time', holding)) {
        await airflow.truth.setState('flow_one_at_a_time', holding, 'failed');
      }
    },
  };
}

interface DagRequest extends AirflowRunRequest {
  readonly dagId: string;
}

function requestOf(dagId: string, id: string): DagRequest {
  return { dagId, id, attempt: 'first.1', conf: {}, origin: { pipeline: 'contract' } };
}

/** One engine for the DAGs of the contract: the request says which, and what is found says it too. */
class ManyDags implements Engine<DagRequest> {
  readonly name = 'airflow';
  readonly #engines: ReadonlyMap<string, ReturnType<typeof airflowEngine>>;

  constructor(options: Omit<AirflowEngineOptions, 'dagId'>) {
    this.#engines = new Map(ALL.map((dagId) => [dagId, airflowEngine({ ...options, dagId })]));
  }

  get capabilities() {
    return this.#of(DAGS.succeeds).capabilities;
  }

  start(request: DagRequest, until: AbortSignal) {
    return this.#of(request.dagId).start(request, until);
  }

  async find(id: string, until: AbortSignal) {
    for (const engine of this.#engines.values()) {
      const found = await engine.find(id, until);
      if (found) return found;
    }
    return undefined;
  }

  follow(ref: RunRef, until: AbortSignal) {
    return this.#ofRef(ref).follow(ref, until);
  }

  cancel(ref: RunRef, reason: 'cancelled' | 'deadline') {
    return this.#ofRef(ref).cancel(ref, reason);
  }

  graph(ref: RunRef, until: AbortSignal) {
    return this.#ofRef(ref).graph(ref, until);
  }

  resume(ref: RunRef, attempt: string, until: AbortSignal) {
    return this.#ofRef(ref).resume(ref, attempt, until);
  }

  #ofRef({ handle }: RunRef) {
    return this.#of(handle.split('/')[0] || DAGS.succeeds);
  }

  #of(dagId: string) {
    const engine = this.#engines.get(dagId);
    assert.ok(engine, dagId);
    return engine;
  }
}

/** From a process that is killed as soon as the run is running. */
async function startAndDie(airflow: AirflowUnderTest, request: DagRequest): Promise<RunRef> {
  const owner = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', PROGRAM], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exited = once(owner, 'exit');
  const authorization = await airflow.as('steps').authorization();
  owner.stdin.end(JSON.stringify({ url: airflow.url, authorization, dagId: request.dagId, request }));
  const [line] = await once(createInterface({ input: owner.stdout }), 'line');
  owner.kill('SIGKILL');
  await exited;
  return JSON.parse(line as string) as RunRef;
}
