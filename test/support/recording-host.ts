import type { ServiceConnection } from '#core/connection.ts';
import type { Host, HostIssue, ProgressRow } from '#core/host.ts';
import type { Secret } from '#core/secret.ts';

export interface RecordingHost extends Host {
  readonly lines: string[];
  readonly issues: HostIssue[];
  readonly rows: ProgressRow[];
  readonly outputs: Map<string, string>;
  readonly masked: string[];
}

/** A host in memory for unit tests of steps: gives what it was made with and keeps what it is told. */
export function recordingHost(given: {
  inputs?: Record<string, string>;
  variables?: Record<string, string>;
  connections?: Record<string, ServiceConnection>;
  /** Secrets of the job that were not masked by the step. */
  secrets?: readonly string[];
}): RecordingHost {
  const lines: string[] = [];
  const issues: HostIssue[] = [];
  const rows: ProgressRow[] = [];
  const outputs = new Map<string, string>();
  const masked: string[] = [];
  const remembered = new Map<string, string>();
  return {
    lines,
    issues,
    rows,
    outputs,
    masked,
    log: {
      debug: (line) => lines.push(`debug: ${line}`),
      info: (line) => lines.push(line),
      section: (line) => lines.push(`section: ${line}`),
      output: { stdout: process.stdout, stderr: process.stderr },
    },
    network: { skipVerification: false },
    input: (name) => given.inputs?.[name]?.trim() || undefined,
    variable: (name) => given.variables?.[name],
    connections: { selected: (input) => given.connections?.[input], system: () => undefined },
    mask: (secret: Secret) => masked.push(secret.reveal()),
    holdsSecret: (text) => [...masked, ...(given.secrets ?? [])].some((secret) => text.includes(secret)),
    setOutput: (name, value) => outputs.set(name, value),
    issue: (issue) => issues.push(issue),
    progress: {
      report: (percent, operation) => lines.push(`progress: ${percent} ${operation}`),
      detail: (row) => rows.push(row),
    },
    memory: { get: (name) => remembered.get(name), set: (name, value) => remembered.set(name, value) },
  };
}
