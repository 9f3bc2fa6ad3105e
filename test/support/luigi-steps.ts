import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { stringify } from 'yaml';
import type { ErrorCode } from '#core/errors.ts';
import type { StepReport } from '#local-pipeline/pipeline-report.ts';
import type { Report } from '#report/schema.ts';
import { ROOT } from '../../scripts/repository.ts';
import { PipelineFolder, type PipelineRun } from './local-pipeline.ts';

const MODULES = join(ROOT, 'test/fixtures/luigi');

/** One RunLuigi@1 step in a folder of its own. */
export interface LuigiStep {
  readonly module: string;
  readonly task: string;
  readonly parameters?: Readonly<Record<string, unknown>>;
  /** Inputs that differ from the usual: local scheduler, one worker, a minute. */
  readonly inputs?: Readonly<Record<string, string>>;
  readonly environment?: Readonly<Record<string, string>>;
  /** Laid into the step's folder before the pipeline starts. */
  readonly files?: Readonly<Record<string, string>>;
  /** The name of an earlier step in whose folder this one works too. */
  readonly after?: string;
  /** The modules lie outside the user's repository. */
  readonly outside?: true;
}

/** What a person and a later step see of a step that has ended. */
export interface EndedStep {
  readonly result: StepReport['result'];
  readonly issues: StepReport['issues'];
  readonly outputs: StepReport['outputs'];
  /** All issues, a line each. */
  readonly said: string;
  readonly report: Report;
  readonly codes: readonly string[];
  /** Markdown, as published. */
  readonly summary: string;
  /** Where it worked. */
  readonly folder: string;
}

/**
 * Runs many steps in one pipeline, in the repository of a user, whatever becomes of the ones before: to start a pipeline
 * costs more than a step. The modules of test/fixtures/luigi are that repository's folder `flows`.
 */
export class LuigiSteps<Name extends string> {
  readonly #folder = new PipelineFolder();
  readonly #steps: Readonly<Record<Name, LuigiStep>>;
  #run: PipelineRun | undefined;

  constructor(steps: Readonly<Record<Name, LuigiStep>>) {
    this.#steps = steps;
  }

  get status(): number | null {
    return this.#done.status;
  }

  get log(): string {
    return this.#done.log;
  }

  async run(): Promise<void> {
    const repository = join(this.#folder.root, 'repository');
    cpSync(MODULES, join(repository, 'flows'), { recursive: true, filter: (path) => !path.includes('__pycache__') });
    const file = join(repository, 'azure-pipelines.yml');
    writeFileSync(file, stringify({ steps: [{ checkout: 'self' }, ...this.#tasks(repository)] }));
    commit(repository);
    this.#run = await this.#folder.run({ file: relative(ROOT, file) });
  }

  ended(name: Name): EndedStep {
    const step = this.#done.report.steps.find((one) => one.name === name);
    const report = this.#attachments('plumbline-report').find(({ pipeline }) => pipeline.step === name);
    if (step === undefined || report === undefined) throw new Error(`${name} left no report.\n${this.log}`);
    return {
      ...step,
      said: step.issues.map(({ message }) => message).join('\n'),
      report,
      codes: report.findings.map(({ code }) => code),
      summary: this.#summary(name),
      folder: this.folderOf(name),
    };
  }

  /** A step that ended red, with an error to read. */
  failed(name: Name, codes?: readonly ErrorCode[]): EndedStep {
    const step = this.ended(name);
    assert.equal(step.result, 'Failed', this.log);
    assert.notEqual(step.outputs['runState'], 'succeeded');
    assert.ok(step.issues.some(({ type }) => type === 'error'));
    if (codes !== undefined) assert.deepEqual(step.codes, codes, step.said);
    return step;
  }

  /** A step that ended green and had nothing to complain of. */
  succeeded(name: Name): EndedStep {
    const step = this.ended(name);
    assert.deepEqual([step.result, step.said, step.codes], ['Succeeded', '', []], this.log);
    assert.equal(step.outputs['runState'], 'succeeded');
    assert.equal(step.report.run.verified, 'confirmed');
    return step;
  }

  /** Path of what the step published under this type. */
  attachment(name: Name, type: string): string {
    const found = this.#done.report.attachments.find((one) => one.type === type && one.name.includes(`.${name}.`));
    if (found === undefined) throw new Error(`${name} published nothing of type ${type}.\n${this.log}`);
    return found.path;
  }

  folderOf(name: string): string {
    const { after } = this.#steps[name as Name];
    return after === undefined ? join(this.#folder.work, name) : this.folderOf(after);
  }

  remove(): void {
    this.#folder.remove();
  }

  get #done(): PipelineRun {
    if (this.#run === undefined) throw new TypeError('The pipeline has not run.');
    return this.#run;
  }

  #attachments(type: string): Report[] {
    const found = this.#done.report.attachments.filter((attachment) => attachment.type === type);
    return found.map(({ path }) => JSON.parse(readFileSync(path, 'utf8')) as Report);
  }

  #summary(name: Name): string {
    const found = this.#done.report.attachments.find((one) => one.name.endsWith(`(${name})`));
    return found === undefined ? '' : readFileSync(found.path, 'utf8');
  }

  #tasks(repository: string): object[] {
    return (Object.keys(this.#steps) as Name[]).map((name) => {
      const { module, task, parameters = {}, inputs, environment, outside, files = {} } = this.#steps[name];
      layOut(this.folderOf(name), files);
      return {
        task: 'RunLuigi@1',
        name,
        displayName: name,
        condition: 'always()',
        inputs: {
          module,
          task,
          parameters: JSON.stringify(parameters),
          workingDirectory: this.folderOf(name),
          timeout: '60s',
          ...inputs,
        },
        env: {
          PYTHONPATH: outside ? MODULES : join(repository, 'flows'),
          PYTHONDONTWRITEBYTECODE: '1',
          ...environment,
        },
      };
    });
  }
}

function layOut(folder: string, files: Readonly<Record<string, string>>): void {
  mkdirSync(folder, { recursive: true });
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

function commit(repository: string): void {
  const author = ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.com'];
  const git = (...args: string[]) => execFileSync('git', [...author, ...args], { cwd: repository, stdio: 'pipe' });
  git('init', '--quiet', '--initial-branch', 'main');
  git('add', '.');
  git('commit', '--quiet', '--message', 'flows');
}
