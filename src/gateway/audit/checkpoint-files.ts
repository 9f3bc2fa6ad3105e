import { promises } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { CHECKPOINT_NAME, parseCheckpoint, type ReadCheckpoint } from './checkpoint-note.ts';
import { localDisk } from './log-segment.ts';
import { isSignedBy, type VerifierKey } from './signed-note.ts';

/** Beside the files of the log. */
export const CHECKPOINTS_FOLDER = 'checkpoints';

/** A note is far smaller; whatever is larger is none. */
const LARGEST_NOTE = 4_096;

/**
 * Writes a note into a folder elsewhere, where none is yet. The same note again is no error. It is written under its own name
 * at once: places that keep what they were given can neither rename nor remove.
 *
 * @throws when it cannot be written, or another one has its place: two histories have the same number of records
 */
export async function writeExportedNote(path: string, note: string): Promise<void> {
  await promises.mkdir(dirname(path), { recursive: true, mode: 0o700 });
  try {
    await promises.writeFile(path, note, { mode: 0o600, flag: 'wx', flush: true });
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST') {
      await promises.rm(path, { force: true }).catch(() => undefined);
      throw thrown;
    }
    if ((await promises.readFile(path, 'utf8')) !== note) throw new Error(`${path} holds another checkpoint`);
  }
}

/**
 * Writes a note beside the log, whole or not at all whatever happens, and on the disk when this resolves. It never replaces one.
 */
export async function writeLocalNote(path: string, note: string): Promise<void> {
  const day = dirname(path);
  await promises.mkdir(day, { recursive: true, mode: 0o700 });
  const partial = `${path}.partial`;
  try {
    await promises.writeFile(partial, note, { mode: 0o600, flush: true });
    await promises.link(partial, path);
    for (const folder of [day, dirname(day), dirname(dirname(day))]) await localDisk.syncDirectory(folder);
  } finally {
    await promises.rm(partial, { force: true }).catch(() => undefined);
  }
}

/** Paths of all notes in a folder of checkpoints, the oldest first; a file is itself. Nothing there is an empty list. */
export async function listNotes(place: string): Promise<string[]> {
  const found = await promises.stat(place).catch(ifAbsent);
  if (found === undefined) return [];
  if (!found.isDirectory()) return [place];
  const entries = await promises.readdir(place, { recursive: true, withFileTypes: true });
  const notes = entries.filter((entry) => entry.isFile() && CHECKPOINT_NAME.test(entry.name));
  const paths = notes.map((entry) => join(entry.parentPath, entry.name));
  return paths.sort((a, b) => (basename(a) < basename(b) ? -1 : 1));
}

function ifAbsent(thrown: unknown): undefined {
  if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
  throw thrown;
}

/** @returns `undefined` when the file holds no checkpoint, or none of the keys signed it */
export async function readCheckpoint(path: string, keys: readonly VerifierKey[]): Promise<ReadCheckpoint | undefined> {
  const bytes = await readSmall(path);
  const checkpoint = parseCheckpoint(bytes.toString('utf8'));
  return checkpoint && isSignedBy(checkpoint.note, keys) ? checkpoint : undefined;
}

async function readSmall(path: string): Promise<Buffer> {
  const handle = await promises.open(path, 'r');
  try {
    const buffer = Buffer.alloc(LARGEST_NOTE);
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

/** The newest one beside the log that our key signed; others are skipped. */
export async function newestCheckpoint(
  directory: string,
  keys: readonly VerifierKey[],
): Promise<ReadCheckpoint | undefined> {
  for (const path of (await listNotes(join(directory, CHECKPOINTS_FOLDER))).reverse()) {
    const checkpoint = await readCheckpoint(path, keys);
    if (checkpoint) return checkpoint;
  }
  return undefined;
}
