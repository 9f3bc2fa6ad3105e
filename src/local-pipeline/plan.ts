import type {
  JobSpec,
  Located,
  MatrixLeg,
  PipelineSpec,
  StageSpec,
  StepSpec,
  TaskStep,
  VariableSetting,
} from './pipeline-model.ts';
import type { ServiceConnectionFacts } from './pipeline-services.ts';
import { PipelineFileError, type Problem } from './position.ts';
import type { TaskCatalog } from './task-catalog.ts';
import type { TaskDefinition, TaskInput } from './task-definition.ts';
import { expandMacros } from './variable-store.ts';

/** A task step with what the service resolves before a run: the task, input names, connection ids. */
export interface PlannedTask extends TaskStep {
  readonly definition: TaskDefinition;
  readonly resolvedInputs: ReadonlyMap<string, string>;
  readonly connectionIds: readonly string[];
}

export type PlannedStep = PlannedTask | Exclude<StepSpec, TaskStep>;

/** One run of a job: itself, or one leg of its matrix. */
export interface PlannedJob {
  readonly spec: JobSpec;
  readonly leg: MatrixLeg | undefined;
  /** Pipeline, stage, job and leg, later ones win. */
  readonly variables: readonly VariableSetting[];
  readonly steps: readonly PlannedStep[];
}

export interface PlannedStage {
  readonly spec: StageSpec;
  /** Pipeline and stage. */
  readonly variables: readonly VariableSetting[];
  readonly jobs: readonly { readonly spec: JobSpec; readonly legs: readonly PlannedJob[] }[];
  /** Every connection that a task of the stage names. */
  readonly connectionIds: readonly string[];
}

export interface PlanSources {
  readonly catalog: TaskCatalog;
  readonly connections: readonly ServiceConnectionFacts[];
  /** Variables known before the run, by lower-case name. */
  readonly known: ReadonlyMap<string, string>;
}

interface PlanContext extends PlanSources {
  readonly problems: Problem[];
  readonly notes: Located[];
}

/**
 * Resolves tasks, input aliases and service connections, as the service does when a run is queued.
 * @throws PipelineFileError for unknown tasks and connections
 */
export function planPipeline(spec: PipelineSpec, sources: PlanSources): { stages: PlannedStage[]; notes: Located[] } {
  const context: PlanContext = { ...sources, problems: [], notes: [] };
  const stages = spec.stages.map((stage) => planStage(stage, spec.variables, context));
  if (context.problems.length > 0) throw new PipelineFileError(context.problems);
  return { stages, notes: context.notes };
}

function planStage(spec: StageSpec, outer: readonly VariableSetting[], context: PlanContext): PlannedStage {
  const variables = [...outer, ...spec.variables];
  const jobs = spec.jobs.map((job) => ({ spec: job, legs: planLegs(job, variables, context) }));
  const steps = jobs.flatMap(({ legs }) => legs.flatMap((leg) => leg.steps));
  return {
    spec,
    variables,
    jobs,
    connectionIds: [...new Set(steps.flatMap((step) => (step.kind === 'task' ? step.connectionIds : [])))],
  };
}

function planLegs(spec: JobSpec, outer: readonly VariableSetting[], context: PlanContext): PlannedJob[] {
  const legs = spec.matrix.length > 0 ? spec.matrix : [undefined];
  return legs.map((leg) => {
    const variables = [...outer, ...spec.variables, ...(leg?.variables ?? [])];
    const known = new Map([
      ...context.known,
      ...variables.map(({ name, value }) => [name.toLowerCase(), value.text] as const),
    ]);
    return {
      spec,
      leg,
      variables,
      steps: spec.steps.map((step) => (step.kind === 'task' ? planTask(step, { ...context, known }) : step)),
    };
  });
}

function planTask(step: TaskStep, context: PlanContext): PlannedTask {
  const definition = context.catalog.find(step.task.text) ?? unknownTask(step, context);
  const resolvedInputs = new Map<string, string>();
  const connectionIds: string[] = [];
  for (const { name, value } of step.inputs) {
    const input = findInput(definition, name.text);
    if (!input)
      context.notes.push({
        text: `${step.task.text} has no input '${name.text}'; the agent passes it on all the same.`,
        at: name.at,
      });
    const ids = input?.type.toLowerCase().startsWith('connectedservice:') ? connectionsOf(value, context) : undefined;
    connectionIds.push(...(ids ?? []));
    resolvedInputs.set(input?.name ?? name.text, ids ? ids.join(',') : value.text);
  }
  return { ...step, definition, resolvedInputs, connectionIds };
}

const NO_TASK: TaskDefinition = {
  id: '',
  name: '',
  friendlyName: '',
  major: 0,
  version: '',
  directory: '',
  inputs: [],
  outputVariables: [],
  restrictions: undefined,
  handlers: {},
};

function unknownTask({ task }: TaskStep, { catalog, problems }: PlanContext): TaskDefinition {
  problems.push({
    at: task.at,
    message: `The local pipeline has no task '${task.text}'; the extension brings: ${catalog.names() || 'none'}.`,
  });
  return NO_TASK;
}

function findInput({ inputs }: TaskDefinition, name: string): TaskInput | undefined {
  const wanted = name.toLowerCase();
  return (
    inputs.find((input) => input.name.toLowerCase() === wanted) ??
    inputs.find(({ aliases }) => aliases.some((alias) => alias.toLowerCase() === wanted))
  );
}

/** Ids for a list of names or ids. The service resolves it before the run, so that only variables of the YAML can be used. */
function connectionsOf(value: Located, { connections, known, problems }: PlanContext): string[] {
  const text = expandMacros(value.text, (name) => known.get(name.toLowerCase()));
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .flatMap((part) => {
      const found = connections.find(
        ({ id, name }) => id.toLowerCase() === part.toLowerCase() || name.toLowerCase() === part.toLowerCase(),
      );
      if (!found) problems.push({ at: value.at, message: unknownConnection(part, connections) });
      return found ? [found.id] : [];
    });
}

function unknownConnection(name: string, connections: readonly ServiceConnectionFacts[]): string {
  if (name.includes('$('))
    return `The service connection '${name}' cannot be resolved before the run: only variables written in the YAML can name one.`;
  const known = connections
    .map((connection) => connection.name)
    .sort()
    .join(', ');
  return `The service connection '${name}' does not exist; known: ${known || 'none, because no --azure file was given'}.`;
}
