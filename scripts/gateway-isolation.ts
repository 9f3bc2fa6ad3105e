import { spawnSync } from 'node:child_process';
import { chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { whyNoUsers } from '#gateway/launch/switching-users.ts';
import { ROOT } from './repository.ts';

/** Whose process a worker is. Without a user of its own it is the gateway's, and the gateway is told that this is wanted. */
export interface Isolation {
  readonly user: UnixUser | undefined;
  /** One sentence for a person. */
  readonly words: string;
}

export interface UnixUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** The user of the example's policy, and one that nearly every machine has. */
const CANDIDATES = ['plumbline-retail', 'nobody'];

export function isolationOf(user: UnixUser | undefined, why = ''): Isolation {
  const words = user === undefined ? `none: ${why}` : `workers run as the Unix user ${user.name}`;
  return { user, words };
}

/** A user that workers can run as: root switches users, and the user must be able to start this Python and to write below the folder. */
export function isolationHere(python: string, folder: string): Isolation {
  const unable = whyNoUsers();
  if (unable !== undefined) return isolationOf(undefined, unable);
  const users = CANDIDATES.flatMap((name) => unixUser(name) ?? []);
  const able = users.find((user) => canWork(user, python, folder));
  const why = `there is no user ${CANDIDATES.join(' or ')} that can start ${python}, read ${ROOT} and write below ${folder}`;
  return isolationOf(able, why);
}

/** Of these Pythons the first that another user can start: some lie in the home of root. Without such a one the first. */
export function workerPython(pythons: readonly string[], folder: string): string {
  mkdirSync(folder, { recursive: true });
  const found = pythons.find((python) => isolationHere(python, folder).user !== undefined) ?? pythons[0];
  if (found === undefined) throw new Error('There is no Python with Luigi: "npm run setup -- luigi" prepares one.');
  return found;
}

export function unixUser(name: string): UnixUser | undefined {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((one) => one.startsWith(`${name}:`));
  const [, , uid, gid] = line?.split(':') ?? [];
  return uid === undefined ? undefined : { name, uid: Number(uid), gid: Number(gid) };
}

function canWork({ uid, gid }: UnixUser, python: string, folder: string): boolean {
  const place = mkdtempSync(join(folder, 'try-'));
  try {
    chownSync(place, uid, gid);
    // The worker's module and the example's code lie in this checkout, which may be in somebody's home.
    const code = `import luigi, os; open('written', 'w').close(); os.listdir(${JSON.stringify(ROOT)})`;
    return (
      spawnSync(python, ['-c', code], { uid, gid, cwd: place, env: { HOME: place }, stdio: 'ignore' }).status === 0
    );
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}
