import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { PlumblineError } from '#core/errors.ts';
import { answerBrokenRequest, httpServer, type ServerLimits } from './http-server.ts';

/** `sun_path` of unix(7), without the byte that ends it. */
const LONGEST_PATH = 107;

/** The Unix socket by which workers of this machine reach their gateway. */
export interface WorkerSocket {
  /** Lets nothing more in; resolves when what runs is answered. */
  close(): Promise<void>;
  /** Ends every connection, answered or not. */
  cut(): void;
}

/** @throws {PlumblineError} `ERR_CONFIG_INVALID` when the system does not take a path as long as this */
export function workerSocketPath(runsDirectory: string): string {
  const path = join(runsDirectory, 'gateway.sock');
  if (Buffer.byteLength(path) > LONGEST_PATH)
    throw unusable(
      path,
      `its path has more than ${LONGEST_PATH} bytes`,
      'Choose a runs directory with a shorter path.',
    );
  return path;
}

/**
 * Listens; every user of this machine may connect, and must bring a worker's token. What a dead gateway left is replaced.
 *
 * @throws {PlumblineError} `ERR_CONFIG_INVALID` when another gateway answers there, or the path cannot be used
 */
export async function openWorkerSocket(
  path: string,
  listener: RequestListener,
  limits: ServerLimits,
): Promise<WorkerSocket> {
  await removeStale(path);
  const server = httpServer(listener, limits, undefined);
  server.on('clientError', (error, socket) => answerBrokenRequest(error, socket as never, randomUUID()));
  try {
    server.listen({ path });
    await once(server, 'listening');
    chmodSync(path, 0o666);
  } catch (cause) {
    throw unusable(path, why(cause), 'Give the gateway a runs directory of its own.', cause);
  }
  return {
    close: () => new Promise((resolve) => server.close(() => resolve())),
    cut: () => server.closeAllConnections(),
  };
}

/** The folder is the gateway's own: nobody else exchanges what lies in it. */
async function removeStale(path: string): Promise<void> {
  const status = lstatSync(path, { throwIfNoEntry: false });
  if (status === undefined) return;
  const remedy = 'Give each gateway a runs directory of its own.';
  if (!status.isSocket()) throw unusable(path, 'something else has this name', remedy);
  if (await answers(path)) throw unusable(path, 'another gateway listens there', remedy);
  unlinkSync(path);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const settle = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => settle(true));
    socket.once('error', () => settle(false));
  });
}

function why(cause: unknown): string {
  return (cause as NodeJS.ErrnoException).code ?? String(cause);
}

function unusable(path: string, reason: string, remedy: string, cause?: unknown): PlumblineError {
  return new PlumblineError('ERR_CONFIG_INVALID', `Workers cannot reach the gateway by ${path}: ${reason}`, {
    cause,
    remedy,
    details: { field: 'runsDirectory' },
  });
}
