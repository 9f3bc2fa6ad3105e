import { type CancelGrace, COMPLETION_GRACE_MS, DEFAULT_GRACE } from './agent-process.ts';
import type { CommandContext } from './command-context.ts';
import { processCommand } from './command-processor.ts';
import type { JobContext } from './job-context.ts';
import type { StepSpec } from './pipeline-model.ts';
import type { Restrictions } from './restrictions.ts';
import type { StepLog } from './step-log.ts';
import type { StepRecord } from './step-record.ts';
import type { VariableStore } from './variable-store.ts';

/** What the work of one step is given. */
export interface StepExecution {
  readonly job: JobContext;
  readonly step: StepSpec;
  readonly record: StepRecord;
  readonly log: StepLog;
  /** Aborts when the step is cancelled or its time is up. */
  readonly signal: AbortSignal;
  readonly taskVariables: VariableStore;
}

/** Where the lines of a step's process go: commands are carried out, the rest is logged. */
export interface LineSink {
  onLine(line: string): void;
  /** Aborts when the step is over although its process may go on (`task.complete` with `done=true`). */
  readonly released: AbortSignal;
}

export interface LineSinkOptions {
  readonly restrictions: readonly Restrictions[];
  readonly outputNames: ReadonlySet<string>;
}

export function lineSink({ job, step, record, log, taskVariables }: StepExecution, options: LineSinkOptions): LineSink {
  const released = new AbortController();
  const context: CommandContext = {
    record,
    log,
    masker: job.run.masker,
    variables: job.variables,
    taskVariables,
    outputNames: options.outputNames,
    endpoints: job.endpoints,
    prependPath: job.prependPath,
    restrictions: [...options.restrictions, ...(step.target ? [step.target] : [])],
    publications: job.run.publications,
    sourcesDirectory: job.sourcesDirectory,
    forceCompletion: () => setTimeout(() => released.abort(), COMPLETION_GRACE_MS).unref(),
  };
  return {
    released: released.signal,
    onLine: (line) => {
      if (!released.signal.aborted && !processCommand(context, line)) log.line(line);
    },
  };
}

/** How long a cancelled process has: the agent's times, or the knobs that a pipeline may set. */
export function cancelGrace(variables: VariableStore): CancelGrace {
  const milliseconds = (name: string, fallback: number) => {
    const given = variables.get(name);
    return given !== undefined && /^\d+$/.test(given) ? Number(given) : fallback;
  };
  return {
    sigintMs: milliseconds('PROCESS_SIGINT_TIMEOUT', DEFAULT_GRACE.sigintMs),
    sigtermMs: milliseconds('PROCESS_SIGTERM_TIMEOUT', DEFAULT_GRACE.sigtermMs),
  };
}
