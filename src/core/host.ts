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

/** A part of a step that is shown by itself, e.g. one Luigi task. */
export interface ProgressRow {
  /** A GUID; the same for every update of the row. */
  readonly id: string;
  readonly name: string;
  readonly order: number;
  readonly state: 'pending' | 'inProgress' | 'completed';
  /** Milliseconds since the epoch. */
  readonly startedAt?: number | undefined;
  readonly endedAt?: number | undefined;
  /** Only with `completed`. */
  readonly result?: 'Succeeded' | 'SucceededWithIssues' | 'Failed' | 'Canceled' | 'Skipped' | undefined;
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
  readonly connections: {
    /** The service connection that the input of this name selects. */
    selected(input: string): ServiceConnection | undefined;
    system(): SystemConnection | undefined;
  };
  /** Masks the value in everything the host prints from now on, in each of `secretForms`. */
  mask(secret: Secret): void;
  /**
   * Whether the text is, or holds, a secret of this job in one of `secretForms`: a secret variable, the job's own token, or what
   * was masked before. Very short secrets are not looked for: `on` says nothing.
   */
  holdsSecret(text: string): boolean;
  setOutput(name: string, value: string): void;
  issue(issue: HostIssue): void;
  readonly progress: {
    /** How far the step is, 0 to 100, and what it does right now. */
    report(percent: number, operation: string): void;
    /** Shows one part of the step as a row of its own; the same id updates the row. */
    detail(row: ProgressRow): void;
  };
  /** Remembered until the step's post-job handler: text by name, never a secret. */
  readonly memory: { get(name: string): string | undefined; set(name: string, value: string): void };
}
