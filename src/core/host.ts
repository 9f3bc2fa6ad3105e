import type { ServiceConnection, SystemConnection } from './connection.ts';
import type { Logger } from './logger.ts';
import type { NetworkSettings } from './network.ts';
import type { Secret } from './secret.ts';

/** An issue on the pipeline run. */
export interface HostIssue {
  readonly type: 'error' | 'warning';
  readonly message: string;
  /** Repository-relative path; only with a file that lies in the repository. */
  readonly sourcePath?: string | undefined;
  readonly line?: number | undefined;
  readonly code?: string | undefined;
}

/** The place a step runs in: an agent of Azure Pipelines, a terminal. Adapters live in `host/`. */
export interface Host {
  readonly log: Logger;
  /** Proxy, certificate authorities. */
  readonly network: NetworkSettings;
  /** A trimmed input, or `undefined` when it is empty. */
  input(name: string): string | undefined;
  /** A pipeline variable by its dotted name, e.g. `Build.BuildId`. */
  variable(name: string): string | undefined;
  /** The service connection that the input of this name selects. */
  connection(input: string): ServiceConnection | undefined;
  system(): SystemConnection | undefined;
  /** Masks the value in everything the host prints from now on, in each of `secretForms`. */
  mask(secret: Secret): void;
  setOutput(name: string, value: string): void;
  issue(issue: HostIssue): void;
  /** Remembered until the step's post-job handler: text by name, never a secret. */
  readonly memory: { get(name: string): string | undefined; set(name: string, value: string): void };
}
