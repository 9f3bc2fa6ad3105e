import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { runProcess } from './agent-process.ts';
import type { ScriptStep } from './pipeline-model.ts';
import { lineSink, type StepExecution } from './step-execution.ts';
import { scriptEnvironment } from './task-environment.ts';
import { expandEnvironment } from './task-step.ts';

/** `script:` and `bash:` as the CmdLine and Bash tasks run them: a file in the temporary folder, without profiles. */
export async function scriptStep(step: ScriptStep, execution: StepExecution): Promise<void> {
  const { job, log, record, signal } = execution;
  const { directories } = job.run;
  const file = path.join(directories.temp, `${randomUUID()}.sh`);
  writeFileSync(file, `${job.variables.expand(step.script)}\n`, { mode: 0o600 });
  log.line(`##[command]bash --noprofile --norc ${file}`);
  const { onLine, released } = lineSink(execution, { restrictions: [], outputNames: new Set() });
  const errors = { seen: false };
  const outcome = await runProcess({
    file: 'bash',
    args: ['--noprofile', '--norc', file],
    directory: path.resolve(job.sourcesDirectory, job.variables.expand(step.workingDirectory ?? '')),
    environment: environmentOf(step, execution),
    onLine: (line, stream) => {
      errors.seen ||= stream === 'stderr';
      onLine(line);
    },
    signal,
    release: released,
    // The Node process that runs scripts on an agent dies of SIGINT, and its shell gets no signal at all.
    endsAtOnce: true,
  });
  if (outcome.cancelled) return;
  if (step.failOnStderr && errors.seen) {
    log.error('Bash wrote one or more lines to the standard error stream.');
    record.result = 'Failed';
  }
  const code = outcome.exitCode ?? 128;
  if (!outcome.released && code !== 0) {
    log.error(`Bash exited with code '${code}'.`);
    record.result = 'Failed';
  }
}

function environmentOf(step: ScriptStep, { job, record }: StepExecution): Record<string, string> {
  const { variables, prependPath, run } = job;
  const restore = variables.setForScope({
    'Task.DisplayName': record.displayName,
    'System.TaskDisplayName': record.displayName,
    'System.TaskInstanceId': record.id,
    'System.TaskInstanceName': step.name,
  });
  const stepEnvironment = expandEnvironment(step.env, (text) => variables.expand(text));
  const environment = scriptEnvironment({ inherited: run.inherited, stepEnvironment, variables, prependPath });
  restore();
  return environment;
}
