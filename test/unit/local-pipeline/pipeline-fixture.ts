import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { strToU8, zipSync } from 'fflate';
import { installedNodeBinaries } from '#local-pipeline/node-handlers.ts';
import type { PipelineReport, StepReport } from '#local-pipeline/pipeline-report.ts';
import { type PipelineOptions, runPipeline } from '#local-pipeline/run-pipeline.ts';

export const nodes = installedNodeBinaries(path.resolve(import.meta.dirname, '../../../node_modules'));

export interface FixtureTask {
  /** Merged over a minimal task.json. */
  readonly json?: Record<string, unknown>;
  /** CommonJS source by file name; `index.js` is the main handler. */
  readonly files: Readonly<Record<string, string>>;
}

/** A work tree with a pipeline in it, an extension beside it, and a place for what a run leaves. */
export class PipelineFixture {
  readonly root = realpathSync(mkdtempSync(path.join(tmpdir(), 'plumbline-test-')));
  readonly repository = path.join(this.root, 'repository');
  readonly out = path.join(this.root, 'out');

  constructor(files: Readonly<Record<string, string>> = {}) {
    mkdirSync(this.repository, { recursive: true });
    for (const [name, text] of Object.entries(files)) this.write(name, text);
  }

  write(name: string, text: string): string {
    const file = path.join(this.repository, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, text);
    return file;
  }

  commit(): string {
    const git = (...args: string[]) =>
      execFileSync('git', ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.org', ...args], {
        cwd: this.repository,
        encoding: 'utf8',
      });
    git('init', '-q', '-b', 'main');
    git('add', '.');
    git('commit', '-q', '--allow-empty', '-m', 'A first commit');
    return git('rev-parse', 'HEAD').trim();
  }

  vsix(tasks: Readonly<Record<string, FixtureTask>>): string {
    const files: Record<string, Uint8Array> = {};
    const contributions = Object.keys(tasks).map((name) => ({
      id: name,
      type: 'ms.vss-distributed-task.task',
      properties: { name: `tasks/${name}` },
    }));
    files['extension.vsomanifest'] = strToU8(JSON.stringify({ contributions }));
    for (const [name, task] of Object.entries(tasks)) {
      const handlers = { Node24: { target: 'index.js' }, Node20_1: { target: 'index.js' } };
      const json = {
        id: '6f1f1c1e-0000-4000-8000-000000000001',
        name,
        friendlyName: name,
        version: { Major: 1, Minor: 0, Patch: 0 },
        execution: handlers,
        ...task.json,
      };
      files[`tasks/${name}/${name}V1/task.json`] = strToU8(JSON.stringify(json));
      for (const [file, text] of Object.entries(task.files)) files[`tasks/${name}/${name}V1/${file}`] = strToU8(text);
    }
    const target = path.join(this.root, 'extension.vsix');
    writeFileSync(target, zipSync(files));
    return target;
  }

  run(yaml: string, options: Partial<PipelineOptions> = {}): Promise<PipelineReport> {
    const file = this.write('azure-pipelines.yml', yaml);
    return runPipeline({ file, out: this.out, nodes, ...options });
  }

  log(): string {
    return readFileSync(path.join(this.out, 'log.txt'), 'utf8');
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** The one step of that name. */
export function stepOf(report: PipelineReport, name: string): StepReport {
  const found = report.steps.filter((step) => step.name === name);
  if (found.length !== 1 || !found[0])
    throw new Error(`${found.length} steps are called ${name}: ${report.steps.map((step) => step.name).join(', ')}`);
  return found[0];
}
