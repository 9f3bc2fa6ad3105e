import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { PlumblineError } from '#core/errors.ts';
import type { UnixUser } from '../launch/unix-user.ts';
import type { CodeSource } from '../policy/role.ts';
import type { CodeFacts } from '../runs/run-record.ts';

type Installed = Extract<CodeSource, { kind: 'installed' }>;

const LONGEST_MARKER = 4 * 1024;
const COMMIT = /^[0-9a-f]{40}([0-9a-f]{24})?$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;
const GROUP_OR_OTHERS_WRITE = 0o022;

/**
 * What is known of an environment that somebody installed. The marker's first line is the commit, a second one may be
 * `sha256:…`; whoever installs the environment writes it.
 * @param user workers of the role; a marker that they could have written proves nothing
 * @throws {PlumblineError} `ERR_CODE_NOT_FOUND`, `ERR_CODE_REFUSED`
 */
export function installedFacts({ path, version, commitFile }: Installed, user: UnixUser | undefined): CodeFacts {
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw notFound(path);
  if (commitFile === undefined) return { kind: 'installed', version };
  const { text, isSafe } = readMarker(commitFile, user);
  const [commit = '', digest] = text.split('\n').map((line) => line.trim());
  if (!COMMIT.test(commit)) throw unreadable(commitFile, 'its first line is no commit');
  return {
    kind: 'installed',
    version,
    commit,
    commitProof: isSafe ? 'marker' : 'claimed',
    ...(digest !== undefined && DIGEST.test(digest) && { digest }),
  };
}

function readMarker(path: string, user: UnixUser | undefined): { text: string; isSafe: boolean } {
  const descriptor = openMarker(path);
  try {
    const status = fstatSync(descriptor);
    if (!status.isFile() || status.size > LONGEST_MARKER) throw unreadable(path, 'it is no small file');
    const isSafe = [status, statSync(dirname(path))].every((one) => isOutOfReach(one, user));
    return { text: readFileSync(descriptor, 'utf8'), isSafe };
  } finally {
    closeSync(descriptor);
  }
}

/** Of the file and of its folder, in which it could be exchanged. */
function isOutOfReach({ uid, mode }: Stats, user: UnixUser | undefined): boolean {
  const [own, worker] = [process.getuid?.(), user?.uid ?? process.getuid?.()];
  return (uid === 0 || uid === own) && uid !== worker && (mode & GROUP_OR_OTHERS_WRITE) === 0;
}

function openMarker(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    throw unreadable(path, error instanceof Error && 'code' in error ? String(error.code) : 'it cannot be opened');
  }
}

function notFound(path: string): PlumblineError {
  return new PlumblineError(
    'ERR_CODE_NOT_FOUND',
    `The installed code of the role cannot be used: ${path} is no folder`,
    {
      remedy: 'Install the environment there, or correct code.path of the role.',
    },
  );
}

function unreadable(path: string, why: string): PlumblineError {
  return new PlumblineError(
    'ERR_CODE_REFUSED',
    `The commit of the installed code cannot be read from ${path}: ${why}`,
    {
      remedy: 'Write the full commit as the first line of that file when the environment is installed.',
    },
  );
}
