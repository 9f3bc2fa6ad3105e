import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { PlumblineError } from '#core/errors.ts';
import { stepEnvironment } from './step-environment.ts';

/** A Python that was started once and can run the worker. */
export interface PythonInterpreter {
  /** Absolute. */
  readonly path: string;
  readonly version: string;
  readonly luigiVersion: string;
}

export interface PythonChoice {
  /** A command on the PATH, or a path relative to the working directory. */
  readonly python?: string | undefined;
  /** Folder of a virtual environment, relative to the working directory. Wins over `python`. */
  readonly virtualEnv?: string | undefined;
  readonly workingDirectory: string;
  /** What it is asked with; default: the step's own. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
  /** How to start it as somebody else; default: as this process. */
  readonly as?: ((command: string, args: readonly string[]) => StartAs) | undefined;
}

export interface StartAs {
  readonly command: string;
  readonly args: readonly string[];
  readonly uid?: number;
  readonly gid?: number;
}

const PYTHONS = { oldest: [3, 10], newest: [3, 13], words: '3.10 to 3.13' } as const;
const LUIGIS = { oldest: [3, 6], newest: [3, 8], words: '3.6 to 3.8' } as const;
const CHOOSE_PYTHON =
  'Put UsePythonVersion@0 with a version from 3.10 to 3.13 before this step, or give the input python.';
const PROBE_TIMEOUT_MS = 60_000;

/**
 * Does not see the working directory until the standard library is loaded: a file json.py may lie there. Looks for Luigi's
 * metadata by name first, as an installer leaves them: loading importlib.metadata takes longer than starting Python.
 */
const PROBE = `import sys
sys.path[:] = [p for p in sys.path if p]
import json, os, re
def installed():
    for folder in sys.path:
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        for name in names:
            match = re.match(r"luigi-([0-9][^-]*)(-py[0-9.]+)?[.](dist|egg)-info$", name)
            if match:
                return match.group(1)
    from importlib.metadata import version
    return version("luigi")
found = {"path": sys.executable, "version": "%d.%d.%d" % sys.version_info[:3], "luigi": None}
try:
    found["luigi"] = installed()
except Exception:
    try:
        sys.path.insert(0, "")
        import luigi
        found["luigi"] = getattr(luigi, "__version__", None)
    except Exception:
        pass
sys.stdout.write("\\n" + json.dumps(found) + "\\n")`;

/**
 * Finds the Python to run with and asks it once for its version and Luigi's. Without a choice: `python3`, then `python`.
 * @throws {PlumblineError} `ERR_PYTHON_NOT_FOUND`, `ERR_PYTHON_UNSUPPORTED`, `ERR_LUIGI_NOT_FOUND` or `ERR_LUIGI_UNSUPPORTED`
 */
export async function resolvePython(choice: PythonChoice, signal?: AbortSignal): Promise<PythonInterpreter> {
  const failures: string[] = [];
  for (const command of commandsOf(choice)) {
    const answer = await probe(command, choice, signal);
    if (typeof answer !== 'string') return checked(answer);
    failures.push(`${command}: ${answer}`);
  }
  throw new PlumblineError('ERR_PYTHON_NOT_FOUND', `No Python could be started: ${failures.join('; ')}`, {
    remedy: choice.virtualEnv
      ? `Create the virtual environment first: python -m venv ${choice.virtualEnv}.`
      : CHOOSE_PYTHON,
  });
}

function commandsOf({ python, virtualEnv, workingDirectory }: PythonChoice): readonly string[] {
  if (virtualEnv) return [resolve(workingDirectory, virtualEnv, 'bin', 'python')];
  if (!python) return ['python3', 'python'];
  return [/[\\/]/.test(python) ? resolve(workingDirectory, python) : python];
}

interface Answer {
  readonly path: string;
  readonly version: string;
  readonly luigi: string | null;
}

/** What the interpreter says of itself, or why it says nothing. */
function probe(python: string, choice: PythonChoice, signal?: AbortSignal): Promise<Answer | string> {
  const { workingDirectory: cwd, environment: env = stepEnvironment() } = choice;
  const question = ['-X', 'utf8', '-c', PROBE];
  const { command, args, ...ids } = choice.as?.(python, question) ?? { command: python, args: question };
  const options = { ...ids, cwd, env, timeout: PROBE_TIMEOUT_MS, signal };
  return new Promise((done, fail) => {
    execFile(command, args, options, (error, stdout, stderr) => {
      if (signal?.aborted) return fail(signal.reason);
      done(error ? reasonOf(error, stderr) : readAnswer(stdout));
    });
  });
}

function reasonOf(error: Error & { code?: unknown }, stderr: string): string {
  if (error.code === 'ENOENT') return 'not found';
  if (error.code === 'EACCES') return 'not executable';
  const said = stderr.trim().split('\n').at(-1)?.slice(0, 300);
  return said || `ended with ${String(error.code ?? error.message)}`;
}

/** The last line: start-up files of the user (sitecustomize) may print before. */
function readAnswer(stdout: string): Answer | string {
  try {
    return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Answer;
  } catch (error) {
    if (error instanceof SyntaxError) return 'its answer cannot be read';
    throw error;
  }
}

function checked({ path, version, luigi }: Answer): PythonInterpreter {
  const place = `Python ${version} at ${path}`;
  if (!isWithin(version, PYTHONS)) {
    const message = `${place} cannot run the worker: it needs Python ${PYTHONS.words}`;
    throw new PlumblineError('ERR_PYTHON_UNSUPPORTED', message, { remedy: CHOOSE_PYTHON, details: { path, version } });
  }
  if (!luigi) {
    throw new PlumblineError('ERR_LUIGI_NOT_FOUND', `${place} has no Luigi: import luigi fails`, {
      remedy: `Install it before this step: ${path} -m pip install "luigi>=3.6,<3.9"; a container image must bring both.`,
      details: { path, version },
    });
  }
  if (!isWithin(luigi, LUIGIS)) {
    const message = `Luigi ${luigi} of ${place} cannot be followed: the worker supports Luigi ${LUIGIS.words}`;
    const remedy = `Install a supported one before this step: ${path} -m pip install "luigi>=3.6,<3.9".`;
    throw new PlumblineError('ERR_LUIGI_UNSUPPORTED', message, { remedy, details: { path, version, luigi } });
  }
  return { path, version, luigiVersion: luigi };
}

interface Range {
  readonly oldest: readonly [number, number];
  readonly newest: readonly [number, number];
}

function isWithin(version: string, { oldest, newest }: Range): boolean {
  const [major = 0, minor = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  return major === oldest[0] && minor >= oldest[1] && minor <= newest[1];
}
