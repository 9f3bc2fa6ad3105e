import { statSync } from 'node:fs';
import { PlumblineError } from '#core/errors.ts';
import { type PythonInterpreter, resolvePython } from '#engines/luigi/python-interpreter.ts';
import { asUser } from '../launch/switching-users.ts';
import type { UnixUser } from '../launch/unix-user.ts';

interface Known {
  readonly stamp: string;
  readonly interpreter: PythonInterpreter;
}

/** Nothing of the gateway's, see `workerEnvironment`. */
const ENVIRONMENT = { PATH: '/usr/local/bin:/usr/bin:/bin', LANG: 'C.UTF-8' };

/**
 * The Pythons that roles name, each asked once what it is, as the role's user: whoever may change an environment must not thereby
 * run code as the gateway. Asked again when its file changes; the worker looks again anyway.
 */
export class RoleInterpreters {
  readonly #known = new Map<string, Known>();

  /** @throws {PlumblineError} `ERR_PYTHON_NOT_FOUND`, `ERR_PYTHON_UNSUPPORTED`, `ERR_LUIGI_NOT_FOUND`, `ERR_LUIGI_UNSUPPORTED` */
  async find(
    python: string,
    workingDirectory: string,
    user: UnixUser | undefined,
    signal: AbortSignal,
  ): Promise<PythonInterpreter> {
    const name = `${user?.uid ?? 'own'} ${python}`;
    const stamp = stampOf(python);
    const known = this.#known.get(name);
    if (known?.stamp === stamp) return known.interpreter;
    const found = await ask(python, workingDirectory, user, signal);
    // What it says of its own place is its user's word; the role's is what counts.
    const interpreter = { ...found, path: python };
    this.#known.set(name, { stamp, interpreter });
    return interpreter;
  }
}

function stampOf(path: string): string {
  const status = statSync(path, { throwIfNoEntry: false });
  return status ? `${status.ino} ${status.size} ${status.mtimeMs}` : 'absent';
}

async function ask(
  python: string,
  workingDirectory: string,
  user: UnixUser | undefined,
  signal: AbortSignal,
): Promise<PythonInterpreter> {
  try {
    const as = (command: string, args: readonly string[]) => asUser(user, command, args);
    return await resolvePython({ python, workingDirectory, as, environment: ENVIRONMENT }, signal);
  } catch (error) {
    if (!(error instanceof PlumblineError)) throw error;
    const remedy = 'Install a Python from 3.10 to 3.13 with luigi>=3.6,<3.9 where code.python of the role says.';
    throw new PlumblineError(error.code, error.message, { cause: error, remedy });
  }
}
