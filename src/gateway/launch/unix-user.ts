import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { PlumblineError } from '#core/errors.ts';

/** Whom workers run as. */
export interface UnixUser {
  readonly name: string;
  readonly uid: number;
  /** Its primary group, the only one that its workers have. */
  readonly gid: number;
  /** Absent for one that is in no user database. */
  readonly home?: string | undefined;
}

const NAME = /^[A-Za-z_][A-Za-z0-9_.-]{0,63}$/;
const NUMBERS = /^([1-9]\d{0,8}):([1-9]\d{0,8})$/;

/**
 * The user of a role, by name (whatever source of users this machine has) or as `uid:gid`.
 * @throws {PlumblineError} `ERR_UNIX_USER_INVALID` when there is none, or when it is root or the gateway's own
 */
export async function findUnixUser(name: string): Promise<UnixUser> {
  const user = numbered(name) ?? (await named(name));
  if (!user) throw invalid(name, 'this machine has no such user');
  if (user.uid === 0 || user.gid === 0) throw invalid(name, 'a worker never runs as root, nor in its group');
  if (user.uid === process.getuid?.()) throw invalid(name, 'it is the user of the gateway itself');
  return user;
}

function invalid(name: string, why: string): PlumblineError {
  return new PlumblineError(
    'ERR_UNIX_USER_INVALID',
    `No worker can run as the Unix user ${JSON.stringify(name)}: ${why}`,
    {
      remedy: 'Create a user for each role, for example with useradd --system, and name it as unixUser of the role.',
    },
  );
}

function numbered(name: string): UnixUser | undefined {
  const [, uid, gid] = NUMBERS.exec(name) ?? [];
  return uid === undefined ? undefined : { name, uid: Number(uid), gid: Number(gid) };
}

/** passwd(5): name, password, uid, gid, comment, home, shell. */
async function named(name: string): Promise<UnixUser | undefined> {
  if (!NAME.test(name)) return undefined;
  try {
    const { stdout } = await promisify(execFile)('getent', ['passwd', name], { env: { PATH: '/usr/bin:/bin' } });
    const [found, , uid, gid, , home] = stdout.trimEnd().split(':');
    return found === name && /^\d+$/.test(uid ?? '') && /^\d+$/.test(gid ?? '')
      ? { name, uid: Number(uid), gid: Number(gid), home }
      : undefined;
  } catch (error) {
    // 2: no such key.
    if (error instanceof Error && 'code' in error && error.code === 2) return undefined;
    throw error;
  }
}
