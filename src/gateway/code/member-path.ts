import { PlumblineError } from '#core/errors.ts';

const MOST_BYTES = 1_024;
const LONGEST_NAME = 255;
const DEEPEST = 40;

/** An archive that is not unpacked, and why. */
export function refusedArchive(why: string): PlumblineError {
  return new PlumblineError('ERR_CODE_REFUSED', `The archive of a run's code cannot be unpacked: ${why}`, {
    remedy: 'Pack plain files and folders only, with relative names, and not more than the role allows.',
  });
}

/**
 * The name of a member of an archive as names of folders and, last, of itself; empty for the archive's own root. Whatever could
 * leave the folder that it is unpacked to, or mean different things to different readers, is refused.
 * @throws {PlumblineError} `ERR_CODE_REFUSED`
 */
export function memberPath(bytes: Uint8Array): readonly string[] {
  const name = decoded(bytes);
  // Written by a program that packed somebody's text: control characters must not reach a log either.
  const shown = JSON.stringify(name.slice(0, 100));
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is about them
  if (/[\u0000-\u001f\u007f\\]/.test(name)) throw refusedArchive(`${shown} has a character that no name may have`);
  if (name.startsWith('/') || /^[A-Za-z]:/.test(name)) throw refusedArchive(`${shown} is no relative name`);
  const parts = name.split('/');
  const names = parts.filter((part, i) => part !== '.' && !(part === '' && i === parts.length - 1));
  if (names.some((part) => part === '' || part === '..')) throw refusedArchive(`${shown} leads elsewhere`);
  if (names.length > DEEPEST || names.some((part) => Buffer.byteLength(part) > LONGEST_NAME)) {
    throw refusedArchive(`${shown} is too long`);
  }
  return names;
}

function decoded(bytes: Uint8Array): string {
  if (bytes.length === 0) throw refusedArchive('a member has no name');
  if (bytes.length > MOST_BYTES) throw refusedArchive('a name is too long');
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw refusedArchive('a name is not UTF-8');
  }
}
