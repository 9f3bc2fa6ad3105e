import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { PlumblineError } from '#core/errors.ts';
import type { LuigiRunRequest } from './request.ts';
import type { RunDirectory } from './run-directory.ts';
import { stepEnvironment } from './step-environment.ts';
import { RUN_MARKER } from './stray-processes.ts';
import { type OutputSinks, WorkerOutput } from './worker-output.ts';
import { revealed, workerRequest } from './worker-request.ts';

/** How the supervisor ended, as its parent sees it. */
export interface SupervisorExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A worker under its supervisor, started by this process. */
export interface WorkerProcess {
  readonly pid: number;
  /** By the process's exit, not by the end of its output: that can be held open by others. */
  readonly exited: Promise<SupervisorExit>;
  readonly output: WorkerOutput;
}

export interface WorkerSettings {
  /** Folder of the Python package plumbline_luigi. */
  readonly workerPath: string;
  readonly sinks: OutputSinks;
  /** Milliseconds between SIGTERM and SIGKILL when it is stopped. */
  readonly graceMs: number;
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

/**
 * Starts the worker in a process group of its own. The request goes to its standard input.
 * @throws {PlumblineError} `ERR_PYTHON_NOT_FOUND` when it cannot be started
 */
export async function startWorker(
  request: LuigiRunRequest,
  directory: RunDirectory,
  settings: WorkerSettings,
): Promise<WorkerProcess> {
  const child = spawn(request.python.path, ['-X', 'utf8', settings.workerPath], {
    cwd: request.workingDirectory,
    env: environmentOf(request, directory),
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const exited = new Promise<SupervisorExit>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  const output = new WorkerOutput(child, settings.sinks);
  const pid = await spawned(child, request);
  hand(child, requestOf(request, directory, settings.graceMs));
  return { pid, exited, output };
}

async function spawned(child: Child, { python, workingDirectory }: LuigiRunRequest): Promise<number> {
  try {
    await once(child, 'spawn');
    return child.pid as number;
  } catch (cause) {
    throw new PlumblineError(
      'ERR_PYTHON_NOT_FOUND',
      `The worker could not be started with ${python.path} in ${workingDirectory}: ${(cause as Error).message}`,
      { cause, remedy: 'See that both exist and may be used by the user of the agent.' },
    );
  }
}

/** A worker that ends before it has read its request says why by its exit. */
function hand(child: Child, request: object): void {
  child.stdin.on('error', () => child.stdin.destroy());
  child.stdin.end(JSON.stringify(request));
}

function environmentOf(request: LuigiRunRequest, directory: RunDirectory): Record<string, string> {
  const files = Object.entries(request.secretFiles).map(([name, secret]) => {
    if (!/^\w+$/.test(name)) throw new TypeError(`${name} is no name of an environment variable`);
    return [name, directory.writeSecret(name, secret)];
  });
  return {
    ...stepEnvironment(),
    ...request.environment,
    ...revealed(request.secretEnvironment),
    ...Object.fromEntries(files),
    [RUN_MARKER]: request.id,
  };
}

/** docs/worker-protocol.md, "In". */
function requestOf(request: LuigiRunRequest, directory: RunDirectory, graceMs: number): object {
  const place = { runId: request.id, parentPid: process.pid, eventsFile: directory.events, exitFile: directory.exit };
  const secrets = [request.secretEnvironment, request.secretFiles].flatMap((group) => Object.values(group));
  return workerRequest(request, { ...place, graceMs }, [...request.redact, ...secrets]);
}
