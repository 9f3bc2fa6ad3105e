import path from 'node:path';
import { runProcess } from './agent-process.ts';
import { type Endpoint, SYSTEM_CONNECTION } from './endpoint.ts';
import { chooseHandler } from './node-handlers.ts';
import type { PlannedTask } from './plan.ts';
import { withRetries } from './retry-step.ts';
import { cancelGrace, lineSink, type StepExecution } from './step-execution.ts';
import type { TaskInput, TaskStage } from './task-definition.ts';
import { taskEnvironment } from './task-environment.ts';
import { expandMacros } from './variable-store.ts';

/**
 * Runs one stage of a task as TaskRunner and NodeHandler do. A process that ends with anything but 0 is a failure of
 * its own, whatever the task has said.
 */
export async function taskStep(step: PlannedTask, stage: TaskStage, execution: StepExecution): Promise<void> {
  const { job, record } = execution;
  const restore = job.variables.setForScope({
    'Task.DisplayName': record.displayName,
    'System.TaskDisplayName': record.displayName,
    'System.TaskInstanceId': record.id,
    'System.TaskInstanceName': step.name,
  });
  try {
    await withRetries(stage === 'execution' ? step.retryCount : 0, execution, () => runHandler(step, stage, execution));
  } finally {
    restore();
  }
}

async function runHandler(step: PlannedTask, stage: TaskStage, execution: StepExecution): Promise<void> {
  const { job, log, signal } = execution;
  const { definition } = step;
  const { handler, node } = chooseHandler(definition, stage, job.run.nodes, job.run.forcedNode);
  const inputs = taskInputs(step, execution);
  const target = path.join(definition.directory, handler.target);
  log.debug(`Using node path: ${node}`);
  const { onLine, released } = lineSink(execution, {
    restrictions: definition.restrictions ? [definition.restrictions] : [],
    outputNames: new Set(definition.outputVariables),
  });
  const outcome = await runProcess({
    file: node,
    args: [target],
    directory: handler.workingDirectory || job.sourcesDirectory,
    environment: environmentOf(step, inputs, execution),
    onLine,
    signal,
    release: released,
    grace: cancelGrace(job.variables),
  });
  const code = outcome.exitCode ?? 128;
  if (!outcome.released && !outcome.cancelled && code !== 0) {
    throw new Error(`Exit code ${code} returned from process: file name '${node}', arguments '"${target}"'.`);
  }
}

function environmentOf(
  step: PlannedTask,
  inputs: ReadonlyMap<string, string>,
  { job, taskVariables }: StepExecution,
): Record<string, string> {
  const { variables, prependPath, run } = job;
  const stepEnvironment = expandEnvironment(step.env, (text) => variables.expand(text));
  const endpoints = endpointsOf(step.definition.inputs, inputs, job.endpoints);
  return taskEnvironment({
    inherited: run.inherited,
    stepEnvironment,
    variables,
    inputs,
    endpoints,
    taskVariables,
    prependPath,
  });
}

/** A step's `env`: trimmed, variables first, then variables of the agent's own environment. */
export function expandEnvironment(
  env: Readonly<Record<string, string>>,
  expand: (text: string) => string,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).map(([key, value]) => [key.trim(), expandAgentEnvironment(expand(value.trim()))]),
  );
}

function expandAgentEnvironment(text: string): string {
  return expandMacros(text, (name) => process.env[name]);
}

/** Defaults, then what the step says: trimmed, macros expanded, file paths made absolute. */
function taskInputs({ definition, resolvedInputs }: PlannedTask, { job }: StepExecution): Map<string, string> {
  const inputs = new Map(definition.inputs.map(({ name, defaultValue }) => [name, defaultValue.trim()]));
  for (const [name, value] of resolvedInputs) inputs.set(name.trim(), value.trim());
  for (const [name, value] of inputs) inputs.set(name, expandAgentEnvironment(job.variables.expand(value)));
  for (const { name } of definition.inputs.filter(({ type }) => type.toLowerCase() === 'filepath')) {
    inputs.set(name, path.resolve(job.sourcesDirectory, inputs.get(name) ?? ''));
  }
  return inputs;
}

/** Only connections that an input of type `connectedService:…` names, and the job's own. */
function endpointsOf(
  definitions: readonly TaskInput[],
  inputs: ReadonlyMap<string, string>,
  endpoints: readonly Endpoint[],
): Endpoint[] {
  const named = definitions
    .filter(({ type }) => type.toLowerCase().startsWith('connectedservice:'))
    .flatMap(({ name }) => (inputs.get(name) ?? '').split(','));
  const ids = new Set([...named.map((id) => id.trim().toLowerCase()), SYSTEM_CONNECTION.toLowerCase()]);
  return endpoints.filter(({ id }) => ids.has(id.toLowerCase()));
}
