import { randomUUID } from 'node:crypto';
import type { DependencyOutcome } from './conditions.ts';
import { derivedGuid } from './derived-guid.ts';
import { ExpressionError, type Value } from './expression-value.ts';
import { jobClocks } from './job-clocks.ts';
import type { JobContext } from './job-context.ts';
import { jobEndpoints } from './job-endpoints.ts';
import { jobNames, type PlannedJobNames } from './job-names.ts';
import { startVariables } from './job-variables.ts';
import { endOrphans } from './orphan-processes.ts';
import type { PlannedJob, PlannedStage, PlannedStep } from './plan.ts';
import type { RunContext } from './run-context.ts';
import { type JobEntry, runStep } from './run-step.ts';
import { StepRecord } from './step-record.ts';
import type { TaskStage } from './task-definition.ts';
import { mergeResults } from './task-result.ts';
import { VariableStore } from './variable-store.ts';
import { emptyTemp } from './work-directories.ts';

/** Runs one job on this machine as an agent does: pre-job stages, steps, post-job stages in reverse, clean-up. */
export async function runJob(
  run: RunContext,
  stage: PlannedStage,
  planned: PlannedJob,
  values: Readonly<Record<string, Value>>,
): Promise<DependencyOutcome> {
  const names = jobNames(run.run.planId, stage, planned);
  const clocks = jobClocks(run, planned.spec);
  const lookupId = `vsts_${randomUUID()}`;
  emptyTemp(run.directories);
  try {
    const job: JobContext = { ...prepareJob(run, stage, planned, { names, values, lookupId }), ...clocks.signals };
    const entries = jobEntries(run, names, planned);
    run.listener({ kind: 'job-started', job: names.label, steps: entries.map(({ record }) => record) });
    await runEntries(entries, job);
    return finish(job, entries, clocks.timedOut());
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    run.listener({ kind: 'note', text: `The job ${names.label} fails before its first step: ${error.message}` });
    return { result: 'Failed', outputs: {} };
  } finally {
    clocks.stop();
    for (const { pid, name } of endOrphans(lookupId)) run.write(`Terminate orphan process: pid (${pid}) (${name})`);
    emptyTemp(run.directories);
    run.services?.endJob(names.jobId);
  }
}

interface JobIdentity {
  readonly names: PlannedJobNames;
  readonly values: Readonly<Record<string, Value>>;
  readonly lookupId: string;
}

/** @throws ExpressionError in a variable's `$[ … ]` */
function prepareJob(
  run: RunContext,
  stage: PlannedStage,
  { steps, variables: settings }: PlannedJob,
  { names, values, lookupId }: JobIdentity,
): Omit<JobContext, 'cancelled' | 'stopped'> {
  const { planId, timelineId } = run.run;
  const access = run.services?.beginJob({ jobId: names.jobId, planId, timelineId, connectionIds: stage.connectionIds });
  const sourcesDirectory = steps.some(({ kind }) => kind === 'checkout') ? run.source.root : run.directories.sources;
  const variables = startVariables({ run, names, sourcesDirectory, lookupId, access, settings, values });
  applyMaskLimit(run, variables);
  const endpoints = jobEndpoints(run, stage.connectionIds, variables.get('System.AccessToken') ?? '');
  return { run, names, variables, endpoints, prependPath: [], sourcesDirectory, status: 'Succeeded' };
}

function applyMaskLimit({ masker }: RunContext, variables: VariableStore): void {
  const length = Number(variables.get('AZP_IGNORE_SECRETS_SHORTER_THAN') ?? 0);
  if (length > 0) masker.ignoreShorterThan(length);
}

async function runEntries(entries: readonly JobEntry[], job: JobContext): Promise<void> {
  for (const entry of entries) {
    if (job.cancelled.aborted) job.status = 'Canceled';
    job.run.records.push(entry.record);
    await runStep(entry, job);
    const { result } = entry.record;
    if (result === 'SucceededWithIssues' || result === 'Failed') job.status = mergeResults(job.status, result);
  }
}

function finish(
  { run, names, status, variables }: JobContext,
  entries: readonly JobEntry[],
  timedOut: boolean,
): DependencyOutcome {
  if (timedOut)
    run.listener({ kind: 'note', text: `The job ${names.label} ran longer than its time limit and was cancelled.` });
  run.finalVariables.push(variables);
  run.listener({ kind: 'job-ended', job: names.label, result: status });
  return { result: status, outputs: outputsOf(names, entries) };
}

/** As others name them: `step.name`, with the leg of a matrix or the name of a deployment job before it. */
function outputsOf(names: PlannedJobNames, entries: readonly JobEntry[]): Record<string, string> {
  const prefix = names.environment
    ? `${names.phase}.`
    : names.total > 1 || names.job !== '__default'
      ? `${names.job}.`
      : '';
  const all = entries.flatMap(({ record }) =>
    [...record.outputs].map(([name, { value }]) => [`${prefix}${record.name}.${name}`, value] as const),
  );
  return Object.fromEntries(all);
}

function jobEntries(run: RunContext, names: PlannedJobNames, { steps }: PlannedJob): JobEntry[] {
  const prepared = steps.map((step) => ({ step, taskVariables: new VariableStore(run.masker) }));
  const of = (stage: TaskStage, title: string) =>
    prepared
      .filter(({ step }) =>
        step.kind === 'task' ? step.definition.handlers[stage] !== undefined : stage === 'execution',
      )
      .map(
        ({ step, taskVariables }): JobEntry => ({
          step,
          stage,
          taskVariables,
          record: recordOf(step, stage, `${title}${step.displayName}`, names),
        }),
      );
  return [
    ...of('prejobexecution', 'Pre-job: '),
    ...of('execution', ''),
    ...of('postjobexecution', 'Post-job: ').reverse(),
  ];
}

function recordOf(step: PlannedStep, stage: TaskStage, displayName: string, names: PlannedJobNames): StepRecord {
  const id = derivedGuid(names.jobId, stage, step.name);
  return new StepRecord({
    id,
    name: step.name,
    displayName,
    task: step.kind === 'task' ? step.task.text : step.kind,
    job: names.label,
  });
}
