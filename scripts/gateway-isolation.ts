import { spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
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

/** What workers of a gateway on this machine need. */
export interface WorkerPlace {
  /** A Python with Luigi. */
  readonly python: string;
  /** What Node runs as the gateway: the worker's module lies beside it. */
  readonly program: string;
  /** They write below it. */
  readonly folder: string;
}

/** A user that workers can run as: root switches users, and the user must be able to start this Python, to read the code and to write. */
export function isolationHere(place: WorkerPlace): Isolation {
  const unable = whyNoUsers();
  if (unable !== undefined) return isolationOf(undefined, unable);
  const users = CANDIDATES.flatMap((name) => unixUser(name) ?? []);
  const able = users.find((user) => canWork(user, place));
  const read = codeOf(place).join(' and ');
  const why = `there is no user ${CANDIDATES.join(' or ')} that can start ${place.python}, read ${read} and write below ${place.folder}`;
  return isolationOf(able, why);
}

/** Of these Pythons the first that another user can start: some lie in the home of root. Without such a one the first. */
export function workerPython(pythons: readonly string[], place: Omit<WorkerPlace, 'python'>): string {
  mkdirSync(place.folder, { recursive: true });
  const found = pythons.find((python) => isolationHere({ ...place, python }).user !== undefined) ?? pythons[0];
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

/** The worker's module, and the code of the example. */
function codeOf({ program }: WorkerPlace): readonly string[] {
  const built = join(dirname(program), 'worker');
  const worker = existsSync(built) ? built : resolve(ROOT, 'src/worker');
  return [join(worker, 'plumbline_luigi'), resolve(ROOT, 'examples/quickstart/retail')];
}

const TRIES = `
import luigi, os, sys
open(os.path.join(sys.argv[1], "written"), "w").close()
for folder in sys.argv[2:]:
    for entry in os.scandir(folder):
        entry.is_file() and open(entry.path).close()
`;

/** The checkout may be in somebody's home, and who made its files or folders may have kept them to themselves. */
function canWork({ uid, gid }: UnixUser, place: WorkerPlace): boolean {
  const folder = mkdtempSync(join(place.folder, 'try-'));
  try {
    chownSync(folder, uid, gid);
    const as = { uid, gid, cwd: '/', env: { HOME: folder }, stdio: 'ignore' } as const;
    return spawnSync(place.python, ['-c', TRIES, folder, ...codeOf(place)], as).status === 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
