import { PRODUCT_VERSION } from '#core/product-version.ts';
import type { RunOutcome, TaskRecord } from '#core/run.ts';
import { hasRun, MAX_DATASETS, runFlow, taskFlow } from '#lineage/data-flow.ts';
import { outcomeError, taskError } from '#lineage/error-message.ts';
import { engineFacet, jobTypeFacet, parentFacet } from '#lineage/facets.ts';
import { jobName, workflowFamily } from '#lineage/lineage-names.ts';
import { type Facets, producerUri, type RunEvent } from '#lineage/open-lineage.ts';
import { type DescribedRun, runEvents } from '#lineage/run-events.ts';
import { outcomeSpan, taskSpan } from '#lineage/run-span.ts';
import { staticUuid } from '#lineage/static-uuid.ts';
import type { RunRecord } from '../runs/run-record.ts';

export interface RunLineage {
  readonly events: readonly RunEvent[];
  /** Datasets left out because an event would have become too long. */
  readonly omittedDatasets: number;
}

const FACET_SCHEMA = 'https://plumbline.dev/schemas/gateway-run-facet.json';
const PRODUCER = producerUri(PRODUCT_VERSION);

/**
 * OpenLineage events (2-0-2) of a run that ended: the workflow, whose run id is the run's own, and below it each task that
 * was started. The same run gives the same events. Who asked is in a facet of ours: what a token signs, and apart from it what
 * was only claimed.
 *
 * @param namespace of the jobs, e.g. `plumbline://gateway.example.com`
 */
export function runLineage(
  run: RunRecord,
  outcome: RunOutcome,
  tasks: readonly TaskRecord[],
  namespace: string,
): RunLineage {
  const whole = { ...outcome, tasks };
  const family = workflowFamily(whole, run.specification.task);
  const workflow = describeWorkflow(run, whole, { namespace, name: jobName([family]) });
  const below = tasks.filter(hasRun).map((task) => describeTask(run, whole, task, workflow));
  const flows = [workflow, ...below].flatMap(({ flow }) => [flow.inputs.length, flow.outputs.length]);
  return {
    events: runEvents(PRODUCER, [workflow], below),
    omittedDatasets: flows.reduce((total, count) => total + Math.max(0, count - MAX_DATASETS), 0),
  };
}

function describeWorkflow(run: RunRecord, outcome: RunOutcome, job: DescribedRun['job']): DescribedRun {
  const { state } = outcome;
  return {
    runId: run.id,
    job,
    end: state === 'succeeded' ? 'COMPLETE' : state === 'failed' ? 'FAIL' : 'ABORT',
    span: outcomeSpan(outcome),
    flow: runFlow(outcome),
    jobFacets: jobTypeFacet(PRODUCER, outcome.engine.name.toUpperCase(), 'WORKFLOW'),
    runFacets: { ...engineFacet(PRODUCER, outcome.engine, PRODUCT_VERSION), plumbline_gateway: gatewayFacet(run) },
    endFacets: outcomeError(PRODUCER, outcome),
  };
}

function describeTask(run: RunRecord, outcome: RunOutcome, task: TaskRecord, workflow: DescribedRun): DescribedRun {
  const { namespace, name } = workflow.job;
  const end =
    task.state === 'done' ? 'COMPLETE' : ['failed', 'disabled', 'died'].includes(task.state) ? 'FAIL' : 'ABORT';
  return {
    runId: staticUuid(new Date(run.createdAt).toISOString(), JSON.stringify(['plumbline gateway', run.id, task.id])),
    job: { namespace, name: `${name}.${jobName([task.family])}` },
    end,
    span: taskSpan(task, outcomeSpan(outcome)),
    flow: taskFlow(task),
    jobFacets: jobTypeFacet(PRODUCER, outcome.engine.name.toUpperCase(), 'TASK'),
    runFacets: {
      ...engineFacet(PRODUCER, outcome.engine, PRODUCT_VERSION),
      ...parentFacet(PRODUCER, workflow, workflow),
    },
    endFacets: end === 'COMPLETE' ? {} : taskError(PRODUCER, task),
  };
}

function gatewayFacet({ caller, specification, decision, code, attempt }: RunRecord): Facets[string] {
  const { role, claimed } = specification;
  return {
    _producer: PRODUCER,
    _schemaURL: FACET_SCHEMA,
    caller,
    claimed,
    role,
    policy: decision.policy,
    code,
    attempt,
  };
}
