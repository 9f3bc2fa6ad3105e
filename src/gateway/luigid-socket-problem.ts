import { type Stats, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { PlumblineError } from '#core/errors.ts';
import type { GatewayConfig } from './config/gateway-config.ts';

/**
 * Why the Unix socket of a luigid is open to more than this gateway; `undefined`: it is not, or there is none yet. Whoever reaches it
 * is asked for nothing, and whoever may write to its folder can put another one in its place.
 */
export function luigidSocketProblem(path: string): string | undefined {
  const folder = look(dirname(path));
  const socket = look(path);
  if (typeof folder === 'string') return folder;
  if (typeof socket === 'string') return socket;
  if (folder === undefined) return undefined;
  if (!isTrusted(folder, socket)) return `its folder ${dirname(path)} belongs to another user`;
  if ((folder.mode & 0o022) !== 0) return `others may write to its folder ${dirname(path)}`;
  if (socket === undefined) return undefined;
  if (!socket.isSocket()) return 'it is no socket';
  const isPrivate = (folder.mode & 0o077) === 0 || (socket.mode & 0o077) === 0;
  return isPrivate ? undefined : 'other users may connect to it';
}

/** @throws {PlumblineError} `ERR_CONFIG_INVALID` when somebody else could speak to luigid, or stand in for it */
export function checkLuigidSocket({ luigid }: GatewayConfig): void {
  if (luigid?.upstream.kind !== 'socket') return;
  const { path } = luigid.upstream;
  const why = luigidSocketProblem(path);
  if (why === undefined) return;
  throw new PlumblineError('ERR_CONFIG_INVALID', `The socket of luigid ${path} is not the gateway's alone: ${why}`, {
    remedy: 'Put it into a folder of the user of the gateway or of luigid, with mode 0700.',
    details: { field: 'luigid.socket' },
  });
}

/** Root's, the gateway's, or that of the user who runs luigid. */
function isTrusted(folder: Stats, socket: Stats | undefined): boolean {
  return folder.uid === 0 || folder.uid === process.geteuid?.() || folder.uid === socket?.uid;
}

/** `undefined`: it is not there; a text: why it cannot be looked at. */
function look(path: string): Stats | string | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    return `the gateway cannot look at ${path} (${(error as NodeJS.ErrnoException).code})`;
  }
}
