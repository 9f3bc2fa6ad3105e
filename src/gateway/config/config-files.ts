import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';

/** The files that a configuration names. Both throw an error that says why and never what is in the file. */
export interface ConfigFiles {
  text(path: string): string;
  /** Refuses a file that others than its owner may read or write. */
  secret(path: string): string;
}

const MAX_BYTES = 1_048_576;

export const configFiles: ConfigFiles = {
  text: (path) => read(path, false),
  secret: (path) => read(path, true),
};

function read(path: string, isSecret: boolean): string {
  const descriptor = opened(path);
  try {
    const { mode, size } = fstatSync(descriptor);
    if ((mode & constants.S_IFMT) !== constants.S_IFREG) throw new Error('it is no regular file');
    if (size > MAX_BYTES) throw new Error(`it is larger than ${MAX_BYTES} bytes`);
    if (isSecret && (mode & 0o077) !== 0) throw new Error(`others may use it (mode ${octal(mode)}); it must be 0600`);
    return readFileSync(descriptor, 'utf8');
  } finally {
    closeSync(descriptor);
  }
}

/** A pipe without a writer must not keep the gateway waiting. */
function opened(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Error(code === 'ENOENT' ? `${path} is not there` : `${path}: ${code ?? 'it cannot be opened'}`, {
      cause: error,
    });
  }
}

function octal(mode: number): string {
  return `0${(mode & 0o777).toString(8)}`;
}
