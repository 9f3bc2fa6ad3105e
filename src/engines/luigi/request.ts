import type { JsonValue } from '#core/json.ts';
import type { Secret } from '#core/secret.ts';
import type { PythonInterpreter } from './python-interpreter.ts';

/** A Luigi task to run with a worker of our own. No value of it reaches an argument vector. */
export interface LuigiRunRequest {
  /** The run key with its suffix; also what marks every process of the run. */
  readonly id: string;
  /** Identifies the attempt of stage and job that asks. */
  readonly attempt: string;
  /** Python module that defines the task. */
  readonly module: string;
  /** Luigi task family. */
  readonly task: string;
  readonly parameters: Readonly<Record<string, JsonValue>>;
  /** Refused by the worker unless the parameter has PRIVATE visibility. */
  readonly secretParameters: Readonly<Record<string, Secret>>;
  /** Added to the step's own environment. */
  readonly environment: Readonly<Record<string, string>>;
  readonly secretEnvironment: Readonly<Record<string, Secret>>;
  /** Name of an environment variable → content of a 0600 file whose path the variable gets. Gone when the run has ended. */
  readonly secretFiles: Readonly<Record<string, Secret>>;
  readonly python: PythonInterpreter;
  /** Absolute. */
  readonly workingDirectory: string;
  /** `local`, or the URL of a luigid. */
  readonly scheduler: string;
  /** ≥ 1 */
  readonly workers: number;
  /** What no event may contain; the values of the secrets above are redacted in any case. */
  readonly redact: readonly Secret[];
}
