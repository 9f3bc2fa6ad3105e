import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { PlumblineError } from '#core/errors.ts';
import { identifyProcess, type ProcessIdentity } from '#engines/luigi/process-identity.ts';
import { asUser } from './switching-users.ts';
import type { UnixUser } from './unix-user.ts';

export interface SupervisorSettings {
  readonly python: string;
  readonly workerPath: string;
  readonly workingDirectory: string;
  readonly user: UnixUser | undefined;
  readonly environment: Readonly<Record<string, string>>;
  /** Descriptor of a file for what it says before it captures output itself. */
  readonly output: number;
}

export interface Supervisor {
  readonly identity: ProcessIdentity;
  /** Resolves with its exit status; `null` after a signal. */
  readonly exited: Promise<number | null>;
  /** Sends the request. Until then it waits, and ends by itself, without having run anything, when this process is gone. */
  send(request: object): void;
}

type Child = ChildProcessByStdio<Writable, null, null>;

/**
 * Starts a supervisor in a session of its own. It does not keep this process alive, and lives on without it.
 * @throws {PlumblineError} `ERR_PYTHON_NOT_FOUND`
 */
export async function startSupervisor(settings: SupervisorSettings): Promise<Supervisor> {
  const { python, workerPath, workingDirectory: cwd, user, environment: env, output } = settings;
  const { command, args, ...ids } = asUser(user, python, ['-X', 'utf8', workerPath]);
  const stdio = ['pipe', output, output] as const;
  const child = spawn(command, args, { ...ids, cwd, env, detached: true, stdio: [...stdio] }) as Child;
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const pid = await spawned(child, settings);
  child.unref();
  child.stdin.on('error', () => child.stdin.destroy());
  return {
    identity: identifyProcess(pid) ?? { pid, started: 'ended' },
    exited,
    send: (request) => child.stdin.end(JSON.stringify(request)),
  };
}

async function spawned(child: ChildProcess, { python, workingDirectory }: SupervisorSettings): Promise<number> {
  try {
    await once(child, 'spawn');
    return child.pid as number;
  } catch (cause) {
    const why = `${python} in ${workingDirectory}: ${(cause as Error).message}`;
    throw new PlumblineError('ERR_PYTHON_NOT_FOUND', `The worker could not be started with ${why}`, {
      cause,
      remedy: 'See that both exist and may be used by the Unix user of the role.',
    });
  }
}
