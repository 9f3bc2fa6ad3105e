import * as tl from 'azure-pipelines-task-lib/task.js';
import type { Host, HostIssue, ProgressRow } from '#core/host.ts';
import { KnownSecrets } from '#core/known-secrets.ts';
import type { Logger } from '#core/logger.ts';
import { neutralise } from '#core/neutralise.ts';
import { Secret } from '#core/secret.ts';
import { secretForms } from '#core/secret-forms.ts';
import { agentConnection, agentSystemConnection } from './agent-connection.ts';
import { agentNetwork } from './agent-network.ts';
import { LineGate } from './line-gate.ts';

/**
 * The Azure Pipelines agent as a host. Everything goes through azure-pipelines-task-lib, which escapes what it puts into
 * a command; plain lines are neutralised here, because they may carry text from elsewhere.
 */
export function azurePipelinesHost(): Host {
  tl.setStdStream(stdout);
  const masked = new KnownSecrets();
  let ofJob: KnownSecrets | undefined;
  return {
    log,
    network: agentNetwork(),
    input: (name) => tl.getInput(name, false)?.trim() || undefined,
    variable: (name) => tl.getVariable(name) || undefined,
    connections: { selected: agentConnection, system: agentSystemConnection },
    mask: (secret) => {
      masked.add(secret);
      for (const form of secretForms(secret)) tl.setSecret(form);
      // The program may print it from the next moment on.
      gate.flush();
    },
    holdsSecret: (text) => {
      ofJob ??= secretsOfJob();
      return masked.isIn(text) || ofJob.isIn(text);
    },
    setOutput: (name, value) => tl.setVariable(name, value, false, true),
    issue,
    progress: { report: tl.setProgress, detail },
    memory: {
      get: (name) => tl.getTaskVariable(name) || undefined,
      set: (name, value) => tl.setTaskVariable(name, value),
    },
  };
}

/** Secret variables and the job's token; the agent masks them, so that nobody else has to. */
function secretsOfJob(): KnownSecrets {
  const known = new KnownSecrets();
  for (const { value, secret } of tl.getVariables()) if (secret && value) known.add(new Secret(value));
  const token = agentSystemConnection()?.accessToken;
  if (token) known.add(token);
  return known;
}

/** Standard output, shared with the program that the step runs; commands of task-lib go through it too. */
const gate = new LineGate(process.stdout);
const stdout = { write: (text: string) => gate.write(text) };

/** Writes out what still waits for a line of the program to end. */
export function flushOutput(): void {
  gate.flush();
}

const log: Logger = {
  debug: (message) => tl.debug(message),
  info: (message) => write(neutralise(message)),
  section: (title) => write(`##[section]${neutralise(title)}`),
  output: { stdout: gate.program, stderr: process.stderr },
};

function issue({ type, message, sourcePath, line, code }: HostIssue): void {
  const kind = type === 'error' ? tl.IssueType.Error : tl.IssueType.Warning;
  // The agent shows the code only with a place in the sources; the page of errors is ordered by it.
  const text = code !== undefined && sourcePath === undefined ? `${message} [${code}]` : message;
  // The agent writes the message into the log, from where others may read it line by line.
  tl.logIssue(kind, neutralise(text), sourcePath, line, undefined, code);
}

const ROW_STATES = { pending: 'Initialized', inProgress: 'InProgress', completed: 'Completed' } as const;

/** Not by `tl.logDetail`: version 5.281 leaves out a result of `Succeeded` and spells `Canceled` as no agent reads it. */
function detail({ id, name, order, state, startedAt, endedAt, result }: ProgressRow): void {
  const times = { starttime: timestamp(startedAt), finishtime: timestamp(endedAt) };
  tl.command(
    'task.logdetail',
    { id, type: 'Task', name: neutralise(name), order, ...times, state: ROW_STATES[state], result },
    neutralise(name),
  );
}

function timestamp(at: number | undefined): string | undefined {
  return at === undefined ? undefined : new Date(at).toISOString();
}

function write(line: string): void {
  gate.write(`${line}\n`);
}
