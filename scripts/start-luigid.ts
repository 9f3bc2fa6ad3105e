import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';

export interface RunningLuigid {
  /** Empty for one that listens on a socket. */
  readonly url: string;
  readonly socket?: string | undefined;
  readonly pid: number;
  close(): Promise<void>;
}

/**
 * A real luigid on loopback, of the environment that `python` belongs to, its state in `folder`. Resolves when it answers.
 *
 * @param port one that nobody listens on; a free one when left out.
 */
export async function startLuigid(folder: string, python: string, port?: number): Promise<RunningLuigid> {
  const own = port ?? (await freePort());
  const place = { args: ['--address', '127.0.0.1', '--port', String(own)], reach: { host: '127.0.0.1', port: own } };
  return { url: `http://127.0.0.1:${own}`, ...(await running(folder, python, place)) };
}

/** A real luigid that nobody but this user and root reaches: on a Unix socket, as behind a gateway. */
export async function startLuigidOnSocket(folder: string, python: string, socket: string): Promise<RunningLuigid> {
  const place = { args: ['--unix-socket', socket], reach: { socketPath: socket } };
  return { url: '', socket, ...(await running(folder, python, place)) };
}

interface Place {
  readonly args: readonly string[];
  readonly reach: { readonly host: string; readonly port: number } | { readonly socketPath: string };
}

async function running(
  folder: string,
  python: string,
  { args, reach }: Place,
): Promise<Omit<RunningLuigid, 'url' | 'socket'>> {
  const luigid = join(dirname(python), 'luigid');
  const child = spawn(luigid, [...args, '--state-path', join(folder, 'luigid.pickle')], {
    cwd: folder,
    stdio: 'ignore',
  });
  const exited = once(child, 'exit');
  await untilItAnswers(reach, child);
  const close = async () => {
    child.kill('SIGKILL');
    await exited;
  };
  if (child.pid === undefined) throw new Error('luigid did not start.');
  return { pid: child.pid, close };
}

/** A port that nobody listens on right now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('The server has no port.');
  return address.port;
}

async function untilItAnswers(reach: Place['reach'], child: ChildProcess): Promise<void> {
  while (child.exitCode === null) {
    if (await answers(reach)) return;
    // It is still starting: asked again until its process ends or the caller's time is up.
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`luigid ended with status ${child.exitCode}.`);
}

function answers(reach: Place['reach']): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request({ ...reach, path: '/api/is_paused?data=%7B%7D', timeout: 2_000, agent: false }, (answer) => {
      answer.resume();
      resolve(true);
    });
    asked.on('timeout', () => asked.destroy());
    asked.on('error', () => resolve(false));
    asked.end();
  });
}
