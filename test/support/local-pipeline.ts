import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import type { PipelineReport } from '#local-pipeline/pipeline-report.ts';
import { packageExtension } from '../../scripts/package-extension.ts';
import { pythonOf } from '../../scripts/python-environments.mjs';
import { ROOT } from '../../scripts/repository.ts';

/** The Node that runs the task: npm test goes through them all. */
export const TASK_NODE = process.env['PLUMBLINE_TASK_NODE'] ?? '24';

const CANARIES = 'test/fixtures/pipelines/azure.yml';

export interface PipelineCall {
  /** Relative to the repository. */
  readonly file: string;
  readonly variables?: Readonly<Record<string, string>>;
  /** The declaration of the local Azure; the canaries' when left out. */
  readonly azure?: string;
  /** Environment of the local pipeline, beside PATH and HOME. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Cancels the pipeline as Ctrl-C does, as soon as this file exists. */
  readonly cancelWhen?: string;
}

export interface PipelineRun {
  readonly status: number | null;
  readonly report: PipelineReport;
  /** What a person saw. */
  readonly output: string;
  /** The whole log, masked. */
  readonly log: string;
}

/** A folder for one test; everything that the pipeline and its agent write lies below it. */
export class PipelineFolder {
  readonly root = mkdtempSync(join(tmpdir(), 'plumbline-test-'));
  /** Where Luigi runs. */
  readonly work = this.#make('work');
  readonly temp = this.#make('tmp');
  readonly home = this.#make('home');
  readonly out = this.#make('out');

  #make(name: string): string {
    const folder = join(this.root, name);
    mkdirSync(folder);
    return folder;
  }

  /** Runs a pipeline file as `npm run local` does, with the VSIX of this checkout and a `python3` that has Luigi. */
  async run(call: PipelineCall): Promise<PipelineRun> {
    await packageExtension();
    const json = join(this.root, 'report.json');
    const { status, output } = await this.#spawn(call, json);
    const report = reportOf(json, output);
    return { status, report, output, log: readFileSync(report.log, 'utf8') };
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }

  #spawn(call: PipelineCall, json: string): Promise<{ status: number | null; output: string }> {
    const args = [join(ROOT, 'scripts/local.ts'), join(ROOT, call.file), ...this.#options(call, json)];
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ...args], {
      cwd: ROOT,
      env: this.#environment(call),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const chunks: Buffer[] = [];
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    const watch = setInterval(() => {
      if (call.cancelWhen === undefined || !existsSync(call.cancelWhen)) return;
      clearInterval(watch);
      child.kill('SIGINT');
    }, 20);
    return new Promise((done, failed) => {
      child.on('error', failed);
      child.on('close', (status) => {
        clearInterval(watch);
        done({ status, output: Buffer.concat(chunks).toString('utf8') });
      });
    });
  }

  #options({ variables = {}, azure = CANARIES }: PipelineCall, json: string): string[] {
    const given = Object.entries(variables).flatMap(([name, value]) => ['--var', `${name}=${value}`]);
    return [...given, '--azure', join(ROOT, azure), '--json', json, '--out', this.out, '--node', TASK_NODE];
  }

  #environment({ environment }: PipelineCall): NodeJS.ProcessEnv {
    const path = [dirname(process.execPath), dirname(luigiPython()), process.env['PATH'] ?? ''].join(delimiter);
    return { PATH: path, HOME: this.home, TMPDIR: this.temp, LANG: 'C.UTF-8', ...environment };
  }
}

/** A Python with Luigi, as set-up prepared it. */
export function luigiPython(): string {
  return pythonOf(ROOT, 'luigi');
}

function reportOf(json: string, output: string): PipelineReport {
  try {
    return JSON.parse(readFileSync(json, 'utf8')) as PipelineReport;
  } catch (cause) {
    throw new Error(`The local pipeline wrote no report. It said:\n${output}`, { cause });
  }
}

/** The step of the task in question. */
export function stepOf({ report, log }: PipelineRun): PipelineReport['steps'][number] {
  const step = report.steps.find(({ task }) => task === 'RunLuigi@1');
  if (step === undefined) throw new Error(`RunLuigi@1 did not run.\n${log}`);
  return step;
}

/** The text that the run published under this type. */
export function attachmentOf({ report, log }: PipelineRun, type: string): string {
  const found = report.attachments.find((attachment) => attachment.type === type);
  if (found === undefined) throw new Error(`Nothing of type ${type} was published.\n${log}`);
  return readFileSync(found.path, 'utf8');
}
