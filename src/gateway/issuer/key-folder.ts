import { constants, promises } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import { PlumblineError } from '#core/errors.ts';
import { ISSUER_HOLDER, type KeyHolder } from './kept-keys.ts';
import { formatManifest, type KeyManifest, parseManifest } from './key-manifest.ts';

const MANIFEST = 'keys.json';
const LOCK = 'lock';
const PRIVATE = /^([\w-]{43})\.pem$/;
const UNFINISHED = '.unfinished';
const SQLITE_BUSY = 5;
const LOCKED_FOR_MS = 10_000;
const LOOK_AGAIN_MS = 20;

/** A folder of keys: `keys.json` says which there are, `<kid>.pem` (PKCS #8) is the private part of one. */
export interface KeyFolder {
  readonly directory: string;
  readonly holder: KeyHolder;
  /** One process at a time; the system takes the lock back when a process ends, however it ends. */
  locked<T>(act: () => Promise<T>): Promise<T>;
  /** Changes whenever the manifest does. */
  version(): Promise<string | undefined>;
  /** `undefined`: there never was one. */
  read(): Promise<KeyManifest | undefined>;
  write(manifest: KeyManifest): Promise<void>;
  readPrivate(kid: string): Promise<string>;
  writePrivate(kid: string, pem: string): Promise<void>;
  /** Removes every private key but these, and what an interrupted writing left behind. */
  keepPrivate(kids: readonly string[]): Promise<void>;
}

/**
 * Every method throws `ERR_FILE_UNREADABLE` when the folder or a file cannot be used, is somebody else's, or others may read it.
 *
 * @param directory made with 0700 when it is not there
 */
export function keyFolder(directory: string, holder: KeyHolder = ISSUER_HOLDER): KeyFolder {
  const path = (name: string) => join(directory, name);
  const guarded = async <T>(act: () => Promise<T>): Promise<T> => {
    try {
      return await act();
    } catch (thrown) {
      throw thrown instanceof PlumblineError ? thrown : unusable(directory, holder, thrown);
    }
  };
  return {
    directory,
    holder,
    locked: async (act) => {
      const release = await guarded(async () => {
        await promises.mkdir(directory, { recursive: true, mode: 0o700 });
        checkOwn(await promises.stat(directory));
        return lock(path(LOCK));
      });
      try {
        return await act();
      } finally {
        release();
      }
    },
    version: () => guarded(() => versionOf(path(MANIFEST))),
    read: () =>
      guarded(async () => {
        const text = await readOwn(path(MANIFEST));
        if (text !== undefined) return parseManifest(text);
        if (await hasPrivate(directory)) throw withoutList({ directory, holder });
        return undefined;
      }),
    write: (manifest) => guarded(() => replace(directory, MANIFEST, formatManifest(manifest))),
    readPrivate: (kid) =>
      guarded(async () => {
        const text = await readOwn(path(`${kid}.pem`));
        if (text === undefined) throw new Error(`the private part of key ${kid} is not there`);
        return text;
      }),
    writePrivate: (kid, pem) => guarded(() => replace(directory, `${kid}.pem`, pem)),
    keepPrivate: (kids) => guarded(() => sweep(directory, kids)),
  };
}

async function sweep(directory: string, kids: readonly string[]): Promise<void> {
  for (const name of await promises.readdir(directory)) {
    const kid = PRIVATE.exec(name)?.[1];
    const isLeft = kid === undefined ? name.endsWith(UNFINISHED) : !kids.includes(kid);
    if (isLeft) await promises.rm(join(directory, name), { force: true });
  }
}

async function hasPrivate(directory: string): Promise<boolean> {
  try {
    return (await promises.readdir(directory)).some((name) => PRIVATE.test(name));
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw thrown;
  }
}

/** Node has no `flock`; SQLite's lock on an empty file of its own is one of the kernel too. */
async function lock(file: string): Promise<() => void> {
  for (let waited = 0; ; waited += LOOK_AGAIN_MS) {
    const held = tryLock(file);
    if (held) return () => held.close();
    if (waited >= LOCKED_FOR_MS) throw new Error('another program holds its lock');
    await pause(LOOK_AGAIN_MS);
  }
}

function tryLock(file: string): DatabaseSync | undefined {
  const database = new DatabaseSync(file, { timeout: 0 });
  try {
    database.exec('BEGIN EXCLUSIVE');
    return database;
  } catch (thrown) {
    database.close();
    if ((thrown as { errcode?: number }).errcode === SQLITE_BUSY) return undefined;
    throw thrown;
  }
}

async function versionOf(file: string): Promise<string | undefined> {
  try {
    const { ino, mtimeNs, size } = await promises.stat(file, { bigint: true });
    return `${ino} ${mtimeNs} ${size}`;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw thrown;
  }
}

async function readOwn(file: string): Promise<string | undefined> {
  let handle: promises.FileHandle;
  try {
    handle = await promises.open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw thrown;
  }
  try {
    const status = await handle.stat();
    if (!status.isFile()) throw new Error(`${file} is no regular file`);
    checkOwn(status, file);
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}

function checkOwn({ mode, uid }: { mode: number; uid: number }, what = 'it'): void {
  if ((mode & 0o077) !== 0) throw new Error(`others may use ${what}`);
  if (uid !== process.geteuid?.()) throw new Error(`${what} belongs to another user than this program runs as`);
}

/** Whole under its name or not there, and on the disk. The lock keeps others from the same unfinished file. */
async function replace(directory: string, name: string, text: string): Promise<void> {
  const unfinished = join(directory, `${name}${UNFINISHED}`);
  await promises.rm(unfinished, { force: true });
  await promises.writeFile(unfinished, text, { mode: 0o600, flag: 'wx', flush: true });
  await promises.rename(unfinished, join(directory, name));
  const folder = await promises.open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** New keys in the place of lost ones would be a change that nobody decided: tokens that are about would be refused. */
export function withoutList({ directory, holder }: Pick<KeyFolder, 'directory' | 'holder'>): PlumblineError {
  return new PlumblineError(
    'ERR_FILE_UNREADABLE',
    `Cannot use the keys of ${holder.name} in ${directory}: ${MANIFEST} is not there`,
    {
      remedy:
        'Put it back; or stop the gateway and remove the folder: a new key signs then, and tokens that are about would be refused.',
      details: { directory },
    },
  );
}

function unusable(directory: string, { name }: KeyHolder, cause: unknown): PlumblineError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new PlumblineError('ERR_FILE_UNREADABLE', `Cannot use the keys of ${name} in ${directory}: ${why}`, {
    cause,
    remedy: 'Give folder and files to the user of the gateway alone (0700 and 0600), and work on them as that user.',
    details: { directory },
  });
}
