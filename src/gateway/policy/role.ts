import type { JsonValue } from '#core/json.ts';
import type { FamilyIdentity } from './task-identity.ts';

/** A condition on one value; exactly one operator. There are no regular expressions. */
export type Condition =
  | { readonly equals: JsonValue }
  | { readonly oneOf: readonly JsonValue[] }
  /** `*` is any text without `.` and `/`, `**` any text. */
  | { readonly glob: string }
  | { readonly exists: boolean };

/** What a parameter may be. It must be given unless `optional`: what a task defaults to is not the caller's to leave open. */
export type ParameterRule = Condition & { readonly optional?: boolean | undefined };

/** Where the workers of a role take the user's code from. */
export type CodeSource =
  /** A folder that is there; `python` is an interpreter in it or beside it, `commitFile` holds the commit. */
  | {
      readonly kind: 'installed';
      readonly path: string;
      readonly python: string;
      readonly version?: string | undefined;
      readonly commitFile?: string | undefined;
    }
  /** A wheel whose bytes must have this SHA-256; unpacked once and put on the module path. */
  | { readonly kind: 'wheel'; readonly file: string; readonly sha256: string; readonly python: string }
  /** What the caller uploads (tar.gz), named by digest; bound to signed claims. */
  | {
      readonly kind: 'bundle';
      readonly python: string;
      readonly maxBytes: number;
      readonly repository: Condition;
      readonly ref: Condition;
    };

export interface SecretGrant {
  /** Name or URL of the vault. */
  readonly vault: string;
  readonly secret: string;
  readonly version?: string | undefined;
  readonly target: 'environment' | 'file' | 'parameter';
  /** Of the variable or parameter. */
  readonly name: string;
}

/** What a worker of this role may be and do. */
export interface Role {
  readonly name: string;
  /** Globs of Python modules and of Luigi families; one must match. */
  readonly modules: readonly string[];
  readonly tasks: readonly string[];
  /** A parameter that is not named here is refused unless `otherParameters`. */
  readonly parameters: Readonly<Record<string, ParameterRule>>;
  readonly otherParameters: boolean;
  readonly environment?: string | undefined;
  /** Identity that the workers have towards clouds by other means than a task's token; it is checked and recorded. */
  readonly workerIdentity?: string | undefined;
  /** Unix user of its workers; absent: the gateway's own, which needs `isolation: none`. */
  readonly unixUser?: string | undefined;
  readonly code: CodeSource;
  /** `local`, or the URL of a luigid; absent: the gateway's own luigid. */
  readonly scheduler?: string | undefined;
  readonly variables: Readonly<Record<string, string>>;
  readonly secrets: readonly SecretGrant[];
  readonly maxWorkers: number;
  readonly maxRuntimeMs: number;
  /** Runs of this role at the same time. */
  readonly concurrency: number;
  /** How often a run is started when the machine or the worker's process was lost; 1: never again. */
  readonly attempts: number;
  /** Who its tasks are towards clouds, by family; the first entry that matches counts. Absent: its tasks get no tokens. */
  readonly taskIdentities?: readonly FamilyIdentity[] | undefined;
  /** Luigi namespaces of its tasks at a shared luigid, each with those below it; the empty text: tasks without one. */
  readonly namespaces: readonly string[];
  /** Its workers may start stock Luigi workers, and such workers may be registered from elsewhere. */
  readonly stockLuigi: boolean;
}
