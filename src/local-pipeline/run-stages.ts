import { type DependencyOutcome, dependencyCondition, dependencyValues } from './conditions.ts';
import type { Value } from './expression-value.ts';
import type { JobSpec, Located, StageSpec, VariableSetting } from './pipeline-model.ts';
import type { PlannedJob, PlannedStage } from './plan.ts';
import { formatPosition } from './position.ts';
import { inOrder } from './read-pipeline.ts';
import type { RunContext } from './run-context.ts';
import { runJob } from './run-job.ts';
import type { TaskResult } from './task-result.ts';

type Outcomes = Map<string, DependencyOutcome>;

/** Worse is later; a skipped part leaves the whole as it is. */
const SEVERITY: readonly TaskResult[] = ['Skipped', 'Succeeded', 'SucceededWithIssues', 'Canceled', 'Failed'];

/** Runs the stages one job at a time, dependencies first, and says how the run ended. */
export async function runStages(run: RunContext, stages: readonly PlannedStage[]): Promise<TaskResult> {
  const finished: Outcomes = new Map();
  const jobsOf = new Map<string, Outcomes>();
  for (const spec of inOrder(stages.map((stage) => stage.spec))) {
    const stage = stages.find((candidate) => candidate.spec === spec);
    if (stage) finished.set(spec.name, await runStage(run, stage, stages, finished, jobsOf));
  }
  const result = worst([...finished.values()].map((outcome) => outcome.result));
  if (run.cancelled.aborted) return 'Canceled';
  return result === 'Skipped' ? 'Succeeded' : result;
}

function worst(results: readonly TaskResult[]): TaskResult {
  return results.reduce(
    (current, next) => (SEVERITY.indexOf(next) > SEVERITY.indexOf(current) ? next : current),
    'Skipped',
  );
}

async function runStage(
  run: RunContext,
  stage: PlannedStage,
  all: readonly PlannedStage[],
  finished: Outcomes,
  jobsOf: Map<string, Outcomes>,
): Promise<DependencyOutcome> {
  const before = graphBefore(
    stage.spec,
    all.map(({ spec }) => spec),
    finished,
  );
  const stageDependencies = Object.fromEntries([...jobsOf].map(([name, jobs]) => [name, dependencyValues(jobs)]));
  const values = {
    dependencies: dependencyValues(direct(stage.spec, finished)),
    stageDependencies,
    variables: known(run, stage.variables),
  };
  const jobs: Outcomes = new Map();
  jobsOf.set(stage.spec.name, jobs);
  const start = wanted(
    run,
    stage.spec.condition,
    { cancelled: run.cancelled.aborted, before, values },
    `stage ${stage.spec.name}`,
  );
  for (const spec of inOrder(stage.jobs.map((job) => job.spec))) {
    const legs = stage.jobs.find((job) => job.spec === spec)?.legs ?? [];
    jobs.set(
      spec.name,
      start === 'run' ? await runLegs(run, stage, spec, legs, jobs, stageDependencies) : { result: start, outputs: {} },
    );
  }
  return {
    result: start === 'run' ? worst([...jobs.values()].map(({ result }) => result)) : start,
    outputs: outputsByJob(jobs),
  };
}

/** A stage's outputs for other stages' conditions: `Job.step.name`. */
function outputsByJob(jobs: Outcomes): Record<string, string> {
  return Object.fromEntries(
    [...jobs].flatMap(([job, { outputs }]) =>
      Object.entries(outputs).map(([name, value]) => [`${job}.${name}`, value]),
    ),
  );
}

async function runLegs(
  run: RunContext,
  stage: PlannedStage,
  spec: JobSpec,
  legs: readonly PlannedJob[],
  jobs: Outcomes,
  stageDependencies: Record<string, Value>,
): Promise<DependencyOutcome> {
  const before = graphBefore(spec, stage.spec.jobs, jobs);
  const values = { dependencies: dependencyValues(direct(spec, jobs)), stageDependencies };
  const outcomes: DependencyOutcome[] = [];
  for (const leg of legs) {
    const scope = {
      cancelled: run.cancelled.aborted,
      before,
      values: { ...values, variables: known(run, leg.variables) },
    };
    const start = run.stopped.aborted ? 'Canceled' : wanted(run, spec.condition, scope, `job ${spec.name}`);
    outcomes.push(start === 'run' ? await runJob(run, stage, leg, values) : { result: start, outputs: {} });
  }
  const result = worst(outcomes.map((outcome) => outcome.result));
  const softened = result === 'Failed' && spec.continueOnError ? 'SucceededWithIssues' : result;
  return {
    result: softened,
    outputs: Object.assign({}, ...outcomes.map(({ outputs }) => outputs)) as Record<string, string>,
  };
}

/** `run`, or the result of what does not run. A condition that cannot be evaluated fails. */
function wanted(
  run: RunContext,
  condition: Located | undefined,
  scope: Parameters<typeof dependencyCondition>[1],
  what: string,
): 'run' | TaskResult {
  try {
    if (dependencyCondition(condition?.text, scope)) return 'run';
    run.listener({ kind: 'note', text: `The ${what} is skipped: its condition is false.` });
    return scope.cancelled ? 'Canceled' : 'Skipped';
  } catch (error) {
    const place = condition ? formatPosition(condition.at) : what;
    run.listener({
      kind: 'note',
      text: `${place}: the condition of the ${what} cannot be evaluated: ${(error as Error).message}`,
    });
    return 'Failed';
  }
}

/** Static variables as a condition of a job or stage sees them. */
function known(
  { runVariables, queueVariables }: RunContext,
  settings: readonly VariableSetting[],
): Record<string, string> {
  const own = Object.fromEntries(settings.map(({ name, value }) => [name, value.text]));
  return { ...runVariables, ...queueVariables, ...own };
}

function direct({ dependsOn }: StageSpec | JobSpec, finished: Outcomes): Outcomes {
  return new Map([...finished].filter(([name]) => dependsOn.some(({ text }) => text === name)));
}

/** What `succeeded()` asks about: everything that the node depends on, directly or not. */
function graphBefore<Node extends StageSpec | JobSpec>(node: Node, all: readonly Node[], finished: Outcomes): Outcomes {
  const names = new Set<string>();
  const visit = ({ dependsOn }: Node) => {
    for (const { text } of dependsOn) {
      if (names.has(text)) continue;
      names.add(text);
      const next = all.find(({ name }) => name === text);
      if (next) visit(next);
    }
  };
  visit(node);
  return new Map([...finished].filter(([name]) => names.has(name)));
}
