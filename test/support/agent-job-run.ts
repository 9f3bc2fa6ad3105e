import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import type { Clock } from '#core/clock.ts';
import type { AzureDeclaration } from '#local-azure/declaration.ts';
import type { RecordedExchange } from '#local-azure/exchange.ts';
import { type LocalAzure, startLocalAzure } from '#local-azure/local-azure.ts';
import { installedNodeBinaries } from '#local-pipeline/node-handlers.ts';
import type { PipelineEvent } from '#local-pipeline/pipeline-listener.ts';
import type { PipelineReport } from '#local-pipeline/pipeline-report.ts';
import type { PipelineServices } from '#local-pipeline/pipeline-services.ts';
import { runPipeline } from '#local-pipeline/run-pipeline.ts';
import type { StepRecord } from '#local-pipeline/step-record.ts';
import { packageExtension } from '../../scripts/package-extension.ts';
import { ROOT } from '../../scripts/repository.ts';
import { luigiPython, TASK_NODE } from './local-pipeline.ts';

/** A step as it stands in a pipeline file. */
export type StepYaml = Readonly<Record<string, unknown>>;

export interface JobCall {
  readonly steps: readonly StepYaml[];
  /** Declared for this run, or one that runs already and stays. */
  readonly azure: AzureDeclaration | LocalAzure;
  readonly proxyCredentials?: { readonly username: string; readonly password: string };
  readonly variables?: Readonly<Record<string, string>>;
  readonly secretVariables?: Readonly<Record<string, string>>;
  /** Names of connections that the job does not name, as the service sees it. */
  readonly unnamed?: readonly string[];
  /** Told of everything while it happens, with the agent's folder; what it does is done before the agent goes on. */
  readonly onEvent?: (event: PipelineEvent, agent: string) => void;
  readonly cancelled?: AbortSignal;
  readonly clock?: Clock;
}

export interface JobRun {
  readonly report: PipelineReport;
  /** Of every step that ran, as the agent keeps it: issues with their codes. */
  step(name: string): StepRecord;
  readonly log: string;
  /** Everything that somebody may read afterwards: log, report, attachments. */
  readonly texts: readonly { readonly place: string; readonly text: string }[];
  readonly exchanges: readonly RecordedExchange[];
}

/** Luigi modules of the tests. */
export const MODULES = join(ROOT, 'test/fixtures/luigi');

/** One job on the agent of the local pipeline, in this process, so that a test can look at the moment something happens. */
export class JobFolder {
  readonly root = realpathSync(mkdtempSync(join(tmpdir(), 'plumbline-job-')));
  readonly work = this.#make('work');
  readonly temp = this.#make('tmp');
  readonly #home = this.#make('home');

  #make(name: string): string {
    const folder = join(this.root, name);
    mkdirSync(folder, { recursive: true });
    return folder;
  }

  /** A RunLuigi step in a working directory of its own, which always runs. */
  luigi(name: string, inputs: Readonly<Record<string, string>>, more: StepYaml = {}): StepYaml {
    const { env, ...rest } = more as { env?: Readonly<Record<string, string>> };
    return {
      task: 'RunLuigi@1',
      name,
      displayName: name,
      condition: 'succeededOrFailed()',
      inputs: { timeout: '60s', workingDirectory: this.#make(join('work', name)), ...inputs },
      env: { PYTHONPATH: MODULES, ...env },
      ...rest,
    };
  }

  /** A file of a step's working directory. */
  file(step: string, name: string): string {
    return join(this.work, step, name);
  }

  async run(call: JobCall): Promise<JobRun> {
    if ('beginRun' in call.azure) return this.#run(call, call.azure);
    const azure = await startLocalAzure(call.azure, {
      ...(call.proxyCredentials && { proxyCredentials: call.proxyCredentials }),
    });
    try {
      return await this.#run(call, azure);
    } finally {
      await azure.close();
    }
  }

  async #run(call: JobCall, azure: LocalAzure): Promise<JobRun> {
    const records: StepRecord[] = [];
    const report = await this.#pipeline(call, withoutNames(azure, call.unnamed ?? []), (event) => {
      if (event.kind === 'step-ended') records.push(event.record);
      call.onEvent?.(event, this.#agent());
    });
    return this.#done(report, records, azure.exchanges());
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }

  async #pipeline(call: JobCall, services: PipelineServices, listener: (event: PipelineEvent) => void) {
    const vsix = await packageExtension();
    const file = join(this.root, 'azure-pipelines.yml');
    const first = { bash: `printf %s "$AGENT_ROOTDIRECTORY" > '${join(this.root, 'agent')}'` };
    writeFileSync(file, JSON.stringify({ steps: [{ checkout: 'none' }, first, ...call.steps] }));
    return runPipeline({
      file,
      vsix,
      services,
      listener,
      out: join(this.root, 'out'),
      nodes: installedNodeBinaries(join(ROOT, 'node_modules')),
      node: TASK_NODE === '20' ? 20 : 24,
      environment: this.#environment(),
      variables: call.variables,
      secretVariables: call.secretVariables,
      cancelled: call.cancelled,
      clock: call.clock,
    });
  }

  #environment(): Record<string, string> {
    const path = [dirname(luigiPython()), process.env['PATH'] ?? ''].join(delimiter);
    return { PATH: path, HOME: this.#home, TMPDIR: this.temp, LANG: 'C.UTF-8', PYTHONDONTWRITEBYTECODE: '1' };
  }

  /** Where the agent works; empty until its first step has run. */
  #agent(): string {
    const file = join(this.root, 'agent');
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  }

  #done(report: PipelineReport, records: readonly StepRecord[], exchanges: readonly RecordedExchange[]): JobRun {
    const log = readFileSync(report.log, 'utf8');
    const attachments = report.attachments.map(({ type, name, path }) => ({
      place: `${type}/${name}`,
      text: readFileSync(path, 'utf8'),
    }));
    const step = (name: string) => {
      const found = records.find(({ displayName }) => displayName === name);
      if (found === undefined) throw new Error(`The step ${name} did not run.\n${log}`);
      return found;
    };
    const texts = [{ place: 'log', text: log }, { place: 'report', text: JSON.stringify(report) }, ...attachments];
    return { report, step, log, texts, exchanges };
  }
}

/** The service takes these connections for ones that the stage of the job does not name. */
function withoutNames(azure: PipelineServices, names: readonly string[]): PipelineServices {
  const ids = azure.connections().flatMap(({ id, name }) => (names.includes(name) ? [id] : []));
  return {
    ...azure,
    beginJob: (job) =>
      azure.beginJob({ ...job, connectionIds: job.connectionIds.filter((id) => !ids.includes(id.toLowerCase())) }),
  };
}

/** The messages of a step's errors, or of its warnings. */
export function messagesOf({ issues }: StepRecord, type: 'error' | 'warning' = 'error'): readonly string[] {
  return issues.filter((issue) => issue.type === type).map(({ message }) => message);
}

/** The codes of a step's issues of one type, in their order. */
export function codesOf({ issues }: StepRecord, type: 'error' | 'warning' = 'error'): readonly (string | undefined)[] {
  return issues.filter((issue) => issue.type === type).map(({ code }) => code);
}
