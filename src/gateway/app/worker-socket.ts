import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, chownSync, linkSync, lstatSync, rmSync, unlinkSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { connect } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { PlumblineError } from '#core/errors.ts';
import { answerBrokenRequest, httpServer, type ServerLimits } from './http-server.ts';

/** Folder beside the sockets in which one becomes what it is to be; the gateway's alone. */
export const UNFINISHED = 'new';
/** Many more than the tasks of one user that can run at once on a machine, and few beside the files that a process may open. */
const MOST_CONNECTIONS = 1_024;

export interface WorkerSocketPlace {
  /** In a folder of the gateway's own, with a folder `new` (0700) in it. */
  readonly path: string;
  /** Whoever is in it may connect. Absent: nobody but the gateway's user. */
  readonly gid?: number | undefined;
}

/** A Unix socket by which workers of this machine reach their gateway. */
export interface WorkerSocket {
  /** Lets nothing more in; resolves when what runs is answered. */
  close(): Promise<void>;
  /** Ends every connection, answered or not. */
  cut(): void;
}

/**
 * Listens. It has its name when it has its owner and mode, so that nobody else ever connects. What a dead gateway left is replaced.
 * It has at most 1,024 connections, or as many as the listener if these are fewer; what comes then is cut.
 *
 * @throws {PlumblineError} `ERR_CONFIG_INVALID` when another gateway answers there, or the path cannot be used
 */
export async function openWorkerSocket(
  { path, gid }: WorkerSocketPlace,
  listener: RequestListener,
  { limits, timeouts }: ServerLimits,
): Promise<WorkerSocket> {
  await removeStaleSocket(path);
  const unfinished = join(dirname(path), UNFINISHED, basename(path));
  const connections = Math.min(limits.connections, MOST_CONNECTIONS);
  const server = httpServer(listener, { limits: { ...limits, connections }, timeouts }, undefined);
  server.on('clientError', (error, socket) => answerBrokenRequest(error, socket as never, randomUUID()));
  try {
    rmSync(unfinished, { force: true });
    server.listen({ path: unfinished });
    await once(server, 'listening');
    if (gid !== undefined) chownSync(unfinished, process.geteuid?.() ?? 0, gid);
    chmodSync(unfinished, gid === undefined ? 0o600 : 0o660);
    // Not renamed: that would replace what another gateway has made in the meantime.
    linkSync(unfinished, path);
    unlinkSync(unfinished);
  } catch (cause) {
    server.close();
    throw unusableSocket(path, why(cause), 'Give the gateway a runs directory of its own.', cause);
  }
  return {
    close: () => {
      rmSync(path, { force: true });
      return new Promise((resolve) => server.close(() => resolve()));
    },
    cut: () => server.closeAllConnections(),
  };
}

/**
 * The folder is the gateway's own: nobody else exchanges what lies in it.
 *
 * @throws {PlumblineError} `ERR_CONFIG_INVALID` when somebody answers there, or it is something else
 */
export async function removeStaleSocket(path: string): Promise<void> {
  const status = lstatSync(path, { throwIfNoEntry: false });
  if (status === undefined) return;
  const remedy = 'Give each gateway a runs directory of its own.';
  if (!status.isSocket()) throw unusableSocket(path, 'something else has this name', remedy);
  if (await answers(path)) throw unusableSocket(path, 'another gateway listens there', remedy);
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

export function unusableSocket(path: string, reason: string, remedy: string, cause?: unknown): PlumblineError {
  return new PlumblineError('ERR_CONFIG_INVALID', `Workers cannot reach the gateway by ${path}: ${reason}`, {
    cause,
    remedy,
    details: { field: 'runsDirectory' },
  });
}
