import { type ChildProcess, spawn } from 'node:child_process';
import { LineSplitter } from './line-splitter.ts';

export interface ProcessRequest {
  readonly file: string;
  readonly args: readonly string[];
  readonly directory: string;
  readonly environment: Readonly<Record<string, string>>;
  /** A line of standard output or standard error. */
  readonly onLine: (line: string, stream: 'stdout' | 'stderr') => void;
  /** Cancels by SIGINT, SIGTERM, SIGKILL. */
  readonly signal: AbortSignal;
  /** Stops to wait for the process without ending it (`task.complete` with `done=true`). */
  readonly release?: AbortSignal;
  readonly grace?: CancelGrace;
  /** A cancel ends the process and its children at once. */
  readonly endsAtOnce?: boolean;
}

export interface CancelGrace {
  /** @default 7500 */
  readonly sigintMs: number;
  /** @default 2500 */
  readonly sigtermMs: number;
}

export interface ProcessOutcome {
  /** Null when a signal ended it or nobody waited for its end. */
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly cancelled: boolean;
  readonly released: boolean;
}

export const DEFAULT_GRACE: CancelGrace = { sigintMs: 7_500, sigtermMs: 2_500 };
/** How long a task may go on after `task.complete` with `done=true`. */
export const COMPLETION_GRACE_MS = 5_000;

/** How long the agent waits for the end of output after the process itself has ended (ProcessInvoker). */
const DRAIN_MS = 5_000;

/**
 * Runs a process as the agent's ProcessInvoker does: standard input is closed, both streams are read line by line, and
 * a cancel goes to the process alone, never to its children: SIGINT, after 7.5 s SIGTERM, after 2.5 s SIGKILL.
 *
 * The process leads a group of its own, so that Ctrl-C in the terminal reaches it only by way of a cancel.
 * @throws the error of `spawn` when the file cannot be started
 */
export async function runProcess(request: ProcessRequest): Promise<ProcessOutcome> {
  if (request.signal.aborted) return { exitCode: null, signal: null, cancelled: true, released: false };
  const child = spawn(request.file, request.args, {
    cwd: request.directory,
    env: request.environment,
    detached: true,
    stdio: 'pipe',
  });
  child.stdin.on('error', () => {});
  child.stdin.end();
  const ended = endOf(child, request);
  const stop = cancelLadder(child, ended, request);
  try {
    const released = await Promise.race([ended.then(() => false), aborted(request.release)]);
    return { exitCode: child.exitCode, signal: child.signalCode, cancelled: request.signal.aborted, released };
  } finally {
    stop();
  }
}

/** Settles when the process has ended and its output too, or five seconds after the process when something else holds the pipes. */
function endOf(child: ChildProcess, { onLine }: ProcessRequest): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    for (const stream of ['stdout', 'stderr'] as const) {
      const splitter = new LineSplitter((line) => onLine(line, stream));
      child[stream]?.on('data', (bytes: Buffer) => splitter.write(bytes)).on('end', () => splitter.end());
    }
    child.once('close', () => resolve());
    child.once('exit', () => setTimeout(() => abandonPipes(child, resolve), DRAIN_MS).unref());
  });
}

function abandonPipes(child: ChildProcess, resolve: () => void): void {
  child.stdout?.destroy();
  child.stderr?.destroy();
  resolve();
}

/** Returns what disarms it. */
function cancelLadder(
  child: ChildProcess,
  ended: Promise<void>,
  { signal, grace = DEFAULT_GRACE, endsAtOnce }: ProcessRequest,
): () => void {
  const timers: NodeJS.Timeout[] = [];
  const disarm = () => {
    signal.removeEventListener('abort', cancel);
    for (const timer of timers) clearTimeout(timer);
  };
  const cancel = () => {
    if (endsAtOnce) return endGroup(child);
    child.kill('SIGINT');
    timers.push(setTimeout(() => child.kill('SIGTERM'), grace.sigintMs));
    timers.push(setTimeout(() => child.kill('SIGKILL'), grace.sigintMs + grace.sigtermMs));
  };
  signal.addEventListener('abort', cancel, { once: true });
  if (signal.aborted) cancel();
  ended.then(disarm, disarm);
  return disarm;
}

function endGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function aborted(signal: AbortSignal | undefined): Promise<true> {
  return new Promise((resolve) => {
    if (signal?.aborted) resolve(true);
    else signal?.addEventListener('abort', () => resolve(true), { once: true });
  });
}
