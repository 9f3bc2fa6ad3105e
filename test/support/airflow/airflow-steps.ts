import { randomInt } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type { AzureDeclaration, ConnectionDeclaration } from '#local-azure/declaration.ts';
import type { StepRecord } from '#local-pipeline/step-record.ts';
import { parseReport } from '#report/parse-report.ts';
import type { Report } from '#report/schema.ts';
import { AIRFLOW_USERS } from '../../../scripts/airflow-users.ts';
import { codesOf, JobFolder, type JobRun, messagesOf, type StepYaml } from '../agent-job-run.ts';
import { leaksOf, textsBelow } from '../leaks.ts';
import type { AirflowUnderTest } from './airflow-under-test.ts';
import { FaultProxy, type FaultRule } from './fault-proxy.ts';

const TENANT = '2b6a1f0e-7c3d-4e59-8a41-9d0c5f6e7b18';

/** One `RunAirflow@1` in a job of its own, through a proxy of its own. */
export interface AirflowStep {
  readonly dag: string;
  readonly inputs?: Readonly<Record<string, string>>;
  readonly faults?: readonly FaultRule[];
  /** Further fields of the step in the pipeline file. */
  readonly yaml?: StepYaml;
  /** Steps before and after it. */
  readonly before?: readonly StepYaml[];
  readonly after?: readonly StepYaml[];
  /** Who it is at the Airflow. @default steps */
  readonly user?: keyof typeof AIRFLOW_USERS;
  /** The connection, where it differs: 2.x has a user name and password, 3.x a token. */
  readonly connection?: Partial<ConnectionDeclaration>;
  /** What goes on while the step runs; its failure is the test's. The step has not begun when it is called. */
  readonly during?: (job: RunningStep) => Promise<void>;
}

export interface RunningStep {
  readonly airflow: AirflowUnderTest;
  readonly proxy: FaultProxy;
  /** Resolves when the step has written a line that fits. */
  says(text: RegExp): Promise<void>;
  /** The run's id, as soon as the server was sent a trigger. */
  runId(): Promise<string>;
  /** Cancels the pipeline. */
  cancel(): void;
  /** Kills the step's process as the kernel does. */
  kill(): void;
}

/** What a person and a later step see of it, and what the server was asked. */
export interface EndedAirflowStep {
  readonly dag: string;
  readonly job: JobRun;
  readonly record: StepRecord;
  readonly result: StepRecord['result'];
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
  /** Codes of errors and of warnings. */
  readonly codes: { readonly error: readonly string[]; readonly warning: readonly string[] };
  readonly proxy: FaultProxy;
  readonly log: string;
  output(name: string): string | undefined;
  /** @throws when it published none */
  readonly report: Report;
  /** Where a credential of the connection stands that it may not: in what somebody may read, or in a file that was left. */
  readonly leaks: readonly string[];
}

/** Runs the step and closes everything but the Airflow. */
export async function runAirflowStep(airflow: AirflowUnderTest, step: AirflowStep): Promise<EndedAirflowStep> {
  const proxy = await FaultProxy.to(airflow.url, step.faults);
  const azure = await azureOf(airflow, proxy.url, step);
  const folder = new JobFolder();
  const watch = new StepWatch();
  const cancel = new AbortController();
  const runId = () => watch.firstTrigger(proxy);
  const kill = () => process.kill(stepProcess(watch.agent), 'SIGKILL');
  const running = {
    airflow,
    proxy,
    says: (text: RegExp) => watch.says(text),
    runId,
    cancel: () => cancel.abort(),
    kill,
  };
  try {
    const [job] = await Promise.all([
      folder
        .run({
          azure,
          steps: [...(step.before ?? []), yamlOf(step), ...(step.after ?? [])],
          cancelled: cancel.signal,
          variables: { 'Build.BuildId': String(nextBuild()) },
          onEvent: (event, agent) => {
            watch.agent = agent;
            if (event.kind === 'line') watch.line(event.text);
          },
        })
        .finally(() => watch.end()),
      step.during?.(running),
    ]);
    const leaks = leaksOf(secretsOf(azure), [...job.texts, ...textsBelow(folder.root)]);
    return ended(step.dag, job, proxy, leaks);
  } finally {
    await proxy.close();
    folder.remove();
  }
}

let builds = randomInt(100_000_000);

/** Pipelines that begin at the same moment would be the same one, and take over each other's runs. */
function nextBuild(): number {
  builds += 1;
  return builds;
}

/** Name of the step, of its display, and of the connection. */
const NAME = 'run';
const CONNECTION = 'airflow';

function yamlOf({ dag, inputs, yaml }: AirflowStep): StepYaml {
  return {
    task: 'RunAirflow@1',
    name: NAME,
    displayName: NAME,
    condition: 'succeededOrFailed()',
    inputs: { airflow: CONNECTION, dagId: dag, ...(inputs?.['wait'] !== 'false' && { timeout: '3m' }), ...inputs },
    ...yaml,
  };
}

async function azureOf(airflow: AirflowUnderTest, url: string, step: AirflowStep): Promise<AzureDeclaration> {
  const user = step.user ?? 'steps';
  const stored: Pick<ConnectionDeclaration, 'scheme' | 'secret' | 'username'> =
    airflow.line === '3'
      ? { scheme: 'Token', secret: await airflow.as(user).token() }
      : { scheme: 'UsernamePassword', username: AIRFLOW_USERS[user].username, secret: AIRFLOW_USERS[user].password };
  return {
    organization: { name: 'fabrikam' },
    project: { name: 'flows' },
    tenants: [{ id: TENANT }],
    connections: [{ name: CONNECTION, type: 'plumbline-airflow', url, ...stored, ...step.connection }],
  };
}

/** What is stored in the connections, and all that Airflow's own login makes of it. */
function secretsOf({ connections = [] }: AzureDeclaration): readonly string[] {
  return connections.flatMap(({ secret }) => secret ?? []);
}

/** Lets a test wait for what a step says, from the beginning on. */
class StepWatch {
  agent = '';
  readonly #lines: string[] = [];
  readonly #waiting = new Set<() => void>();
  #ended = false;

  line(text: string): void {
    this.#lines.push(text);
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  says(text: RegExp): Promise<void> {
    return this.#until(() => this.#lines.some((line) => text.test(line)), `the step said nothing like ${text}`);
  }

  async firstTrigger(proxy: FaultProxy): Promise<string> {
    const sent = () => proxy.seen('POST', /\/dagRuns$/)[0]?.body;
    const timer = setInterval(() => this.#wake(), 20);
    try {
      await this.#until(() => sent() !== undefined, 'the step triggered nothing');
      return (JSON.parse(sent() ?? '{}') as { dag_run_id: string }).dag_run_id;
    } finally {
      clearInterval(timer);
    }
  }

  async #until(isSo: () => boolean, otherwise: string): Promise<void> {
    while (!isSo()) {
      if (this.#ended) throw new Error(`${otherwise}:\n${this.#lines.join('\n')}`);
      await new Promise<void>((done) => this.#waiting.add(done));
    }
  }

  #wake(): void {
    for (const done of this.#waiting) done();
    this.#waiting.clear();
  }
}

/** The process of the step that the agent in this folder runs. */
function stepProcess(agent: string): number {
  const found = readdirSync('/proc').find((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      return command.includes(agent) && command.includes('RunAirflow') && command.includes('index.js');
    } catch {
      return false;
    }
  });
  if (found === undefined) throw new Error(`no step runs in ${agent}`);
  return Number(found);
}

function ended(dag: string, job: JobRun, proxy: FaultProxy, leaks: readonly string[]): EndedAirflowStep {
  const record = job.step(NAME);
  const codes = (type: 'error' | 'warning') => codesOf(record, type).map((code) => code ?? '(none)');
  return {
    dag,
    job,
    record,
    result: record.result,
    errors: messagesOf(record),
    warnings: messagesOf(record, 'warning'),
    codes: { error: codes('error'), warning: codes('warning') },
    proxy,
    log: job.log,
    output: (name) => record.outputs.get(name)?.value,
    get report() {
      return reportOf(job);
    },
    leaks,
  };
}

function reportOf({ texts, log }: JobRun): Report {
  const found = texts.find(({ place }) => place.startsWith('plumbline-report/'));
  if (found === undefined) throw new Error(`The step published no report.\n${log}`);
  const parsed = parseReport(found.text);
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.report;
}
