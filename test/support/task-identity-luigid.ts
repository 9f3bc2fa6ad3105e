import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';

export interface SocketLuigid {
  readonly socket: string;
  readonly stateFile: string;
  readonly pid: number;
  /** What luigid itself says, asked past the gateway. */
  ask(method: string, data?: object): Promise<unknown>;
  /** Ends it as an operator does: it writes its state down. */
  terminate(): Promise<void>;
  close(): Promise<void>;
}

/** A real luigid on a Unix socket in `folder`, its state beside it. Resolves when it answers. */
export async function startSocketLuigid(folder: string, python: string): Promise<SocketLuigid> {
  const [socket, stateFile] = [join(folder, 'luigid.sock'), join(folder, 'luigid.pickle')];
  const args = ['--unix-socket', socket, '--state-path', stateFile];
  const child = spawn(join(dirname(python), 'luigid'), args, { cwd: folder, stdio: 'ignore' });
  const exited = once(child, 'exit');
  while (!(await canConnect(socket))) {
    if (child.exitCode !== null) throw new Error(`luigid ended with status ${child.exitCode}.`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    await exited;
  };
  if (child.pid === undefined) throw new Error('luigid did not start.');
  return {
    ...{ socket, stateFile, pid: child.pid },
    ask: (method, data = {}) => ask(socket, method, data),
    terminate: () => end('SIGTERM'),
    close: () => end('SIGKILL'),
  };
}

async function canConnect(socket: string): Promise<boolean> {
  if (!existsSync(socket)) return false;
  const client = connect(socket);
  try {
    await once(client, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    client.destroy();
  }
}

function ask(socketPath: string, method: string, data: object): Promise<unknown> {
  const path = `/api/${method}?data=${encodeURIComponent(JSON.stringify(data))}`;
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (part) => {
        body += part;
      });
      response.on('end', () => {
        if (response.statusCode === 200) resolve((JSON.parse(body) as { response: unknown }).response);
        else reject(new Error(`luigid answered ${method} with ${response.statusCode}`));
      });
    });
    asked.on('error', reject).end();
  });
}
