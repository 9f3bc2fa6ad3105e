import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';

export interface RunningLuigid {
  readonly url: string;
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
  const url = `http://127.0.0.1:${own}`;
  const luigid = join(dirname(python), 'luigid');
  const args = ['--address', '127.0.0.1', '--port', String(own), '--state-path', join(folder, 'luigid.pickle')];
  const child = spawn(luigid, args, { cwd: folder, stdio: 'ignore' });
  const exited = once(child, 'exit');
  await untilItAnswers(url, child);
  const close = async () => {
    child.kill('SIGKILL');
    await exited;
  };
  if (child.pid === undefined) throw new Error('luigid did not start.');
  return { url, pid: child.pid, close };
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

async function untilItAnswers(url: string, child: ChildProcess): Promise<void> {
  while (child.exitCode === null) {
    try {
      await fetch(`${url}/api/task_list?data=%7B%7D`, { signal: AbortSignal.timeout(2_000) });
      return;
    } catch {
      // It is still starting: asked again until its process ends or the caller's time is up.
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  throw new Error(`luigid ended with status ${child.exitCode}.`);
}
