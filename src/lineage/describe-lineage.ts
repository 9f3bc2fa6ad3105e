import type { Provenance } from '#core/provenance.ts';
import type { RunOutcome, TaskRecord } from '#core/run.ts';
import { type DataFlow, hasRun, MAX_DATASETS, runFlow, taskFlow } from './data-flow.ts';
import type { EngineNaming } from './engine-naming.ts';
import { outcomeError, taskError } from './error-message.ts';
import {
  engineFacet,
  jobTypeFacet,
  nominalTimeFacet,
  type Owner,
  ownershipFacet,
  parentFacet,
  type RunName,
} from './facets.ts';
import { defaultNamespace, jobName, stepJobName, workflowFamily } from './lineage-names.ts';
import { type Facets, producerUri, type RunEvent } from './open-lineage.ts';
import { endedPipelineFacet, pipelineFacet } from './pipeline-facet.ts';
import { type DescribedRun, runEvents } from './run-events.ts';
import { type LineageRunIds, lineageRunIds } from './run-ids.ts';
import { outcomeSpan, taskSpan } from './run-span.ts';
import { sourceLocation } from './source-location.ts';

export interface LineageOptions {
  /** The id of the run with its suffix (`RunRef.id`). */
  readonly runId: string;
  /** The family that was asked for; names the job when the run ended before its root came to be. */
  readonly workflow: string;
  readonly producerVersion: string;
  /** @default `azure-devops://<organisation>/<project>` */
  readonly namespace?: string | undefined;
  /** Of the workflow. */
  readonly owners?: readonly Owner[] | undefined;
  /** ISO 8601: the time the run is for, where the engine has one. */
  readonly nominalStart?: string | undefined;
  /** The workflow's file, relative to the repository. */
  readonly sourcePath?: string | undefined;
  /** @default false: of the person only the id is told */
  readonly withPersonName?: boolean | undefined;
  /** What called the pipeline run: above the step. */
  readonly calledBy?: { readonly parent: RunName; readonly root: RunName } | undefined;
  /** Names of workflow and tasks where the engine's own integration may tell of them too; absent: ours. */
  readonly naming?: EngineNaming | undefined;
}

export interface Lineage {
  readonly namespace: string;
  readonly stepRunId: string;
  readonly workflowRunId: string;
  /** In the order of time; each run has one START and one terminal event, and a parent starts before its children. */
  readonly events: readonly RunEvent[];
  /** Datasets left out because an event would have become too long. */
  readonly omittedDatasets: number;
}

/**
 * The OpenLineage events (2-0-2) of a run that ended: this step of the pipeline, below it the workflow, below that each
 * task that was started in this run. The same run gives the same events, so sending them again does no harm.
 *
 * Succeeded is COMPLETE and failed is FAIL. Cancelled, lost and over its deadline are ABORT, as is a task that was started
 * and never seen to end: unknown is never a success, nor a proven failure. A workflow under the engine's own names ends as the engine
 * says, whatever the step makes of it, and has no terminal event when nobody knows.
 */
export function describeLineage(outcome: RunOutcome, provenance: Provenance, options: LineageOptions): Lineage {
  const context = describedIn(outcome, provenance, options);
  const outer = [describeStep(context), describeWorkflow(context)];
  const inner = outcome.tasks.filter(hasRun).map((task) => describeTask(context, task));
  return {
    namespace: context.namespace,
    stepRunId: context.ids.step,
    workflowRunId: workflowRun(context).runId,
    events: runEvents(context.producer, outer, inner),
    omittedDatasets: [...outer, ...inner].reduce((total, { flow }) => total + omitted(flow), 0),
  };
}

interface Context {
  readonly outcome: RunOutcome;
  readonly provenance: Provenance;
  readonly options: LineageOptions;
  readonly producer: string;
  readonly namespace: string;
  readonly ids: LineageRunIds;
  readonly family: string;
}

function describedIn(outcome: RunOutcome, provenance: Provenance, options: LineageOptions): Context {
  return {
    outcome,
    provenance,
    options,
    producer: producerUri(options.producerVersion),
    namespace: options.namespace ?? defaultNamespace(provenance),
    ids: lineageRunIds(provenance, options.runId),
    family: workflowFamily(outcome, options.workflow),
  };
}

function describeStep(context: Context): DescribedRun {
  const { outcome, provenance, options, producer } = context;
  const facet = pipelineFacet(producer, provenance, options.withPersonName ?? false);
  const engine = { name: 'AzurePipelines', version: provenance.agentVersion };
  return {
    ...stepRun(context),
    end: outcomeEnd(outcome),
    span: outcomeSpan(outcome),
    flow: { inputs: [], outputs: [] },
    jobFacets: { ...jobTypeFacet(producer, 'AZURE_PIPELINES', 'STEP'), ...codeFacet(context) },
    runFacets: {
      azureDevOps_pipeline: facet,
      ...engineFacet(producer, engine, options.producerVersion),
      ...(options.calledBy && parentFacet(producer, options.calledBy.parent, options.calledBy.root)),
    },
    endFacets: { ...endedPipelineFacet(facet, outcome), ...outcomeError(producer, outcome) },
  };
}

function describeWorkflow(context: Context): DescribedRun {
  const { outcome, provenance, options, producer } = context;
  const { naming } = options;
  const facet = pipelineFacet(producer, provenance, options.withPersonName ?? false);
  return {
    ...workflowRun(context),
    end: naming ? naming.end : outcomeEnd(outcome),
    span: outcomeSpan(outcome),
    flow: runFlow(outcome),
    jobFacets: {
      ...engineJobFacets(context, naming?.jobType ?? 'WORKFLOW'),
      ...ownershipFacet(producer, options.owners),
    },
    runFacets: { azureDevOps_pipeline: facet, ...belowFacets(context, naming?.parent ?? stepRun(context)) },
    endFacets: {
      ...endedPipelineFacet(facet, outcome),
      ...(naming?.end === 'COMPLETE' ? {} : outcomeError(producer, outcome)),
    },
  };
}

function describeTask(context: Context, task: TaskRecord): DescribedRun {
  const end = taskEnd(task);
  return {
    ...taskRun(context, task),
    end,
    span: taskSpan(task, outcomeSpan(context.outcome)),
    flow: taskFlow(task),
    jobFacets: engineJobFacets(context, 'TASK'),
    runFacets: belowFacets(context, workflowRun(context)),
    endFacets: end === 'COMPLETE' ? {} : taskError(context.producer, task),
  };
}

function stepRun({ ids, namespace, provenance }: Pick<Context, 'ids' | 'namespace' | 'provenance'>): RunName {
  return { runId: ids.step, job: { namespace, name: stepJobName(provenance) } };
}

function workflowRun({ ids, namespace, family, options }: Context): RunName {
  return options.naming?.workflow ?? { runId: ids.workflow, job: { namespace, name: jobName([family]) } };
}

function taskRun({ ids, namespace, family, options }: Context, task: TaskRecord): RunName {
  const named = options.naming?.task(task);
  return named ?? { runId: ids.task(task.id), job: { namespace, name: jobName([family, task.family]) } };
}

/** Facets of a run that the engine ran below `parent`. */
function belowFacets(context: Context, parent: RunName): Facets {
  const { outcome, options, producer } = context;
  const { naming, calledBy } = options;
  const engine = naming ? { ...outcome.engine, name: naming.engine } : outcome.engine;
  return {
    ...engineFacet(producer, engine, options.producerVersion),
    ...nominalTimeFacet(producer, options.nominalStart),
    ...parentFacet(producer, parent, naming?.root ?? calledBy?.root ?? stepRun(context)),
  };
}

function engineJobFacets(context: Context, jobType: string): Facets {
  const { outcome, options, producer } = context;
  return {
    ...jobTypeFacet(producer, (options.naming?.engine ?? outcome.engine.name).toUpperCase(), jobType),
    // Where the engine itself keeps the code, that of the pipeline's repository is another one.
    ...(options.naming ? {} : codeFacet(context)),
  };
}

function codeFacet({ producer, provenance, options }: Context): Facets {
  return sourceLocation(producer, provenance.source, options.sourcePath);
}

/**
 * The step's own run, for whoever starts something below it and before there is anything to describe.
 * @param runId as in {@link LineageOptions}
 */
export function stepRunName(provenance: Provenance, runId: string): RunName {
  return stepRun({ ids: lineageRunIds(provenance, runId), namespace: defaultNamespace(provenance), provenance });
}

function outcomeEnd({ state }: RunOutcome): 'COMPLETE' | 'FAIL' | 'ABORT' {
  return state === 'succeeded' ? 'COMPLETE' : state === 'failed' ? 'FAIL' : 'ABORT';
}

function taskEnd({ state }: TaskRecord): 'COMPLETE' | 'FAIL' | 'ABORT' {
  // Skipped after it was started: the task itself decided to, and Airflow's provider tells it the same way.
  if (state === 'done' || state === 'skipped') return 'COMPLETE';
  return ['failed', 'disabled', 'died'].includes(state) ? 'FAIL' : 'ABORT';
}

function omitted({ inputs, outputs }: DataFlow): number {
  return Math.max(0, inputs.length - MAX_DATASETS) + Math.max(0, outputs.length - MAX_DATASETS);
}
