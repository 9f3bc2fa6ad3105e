import type { RunOutcome, TaskRecord } from '#core/run.ts';
import { runFlow } from '#lineage/data-flow.ts';
import type { AuditData } from '../audit/audit-types.ts';
import { persistently, type RunContext } from './run-context.ts';
import { auditedRun } from './run-journal.ts';
import type { RunRecord } from './run-record.ts';
import { hasEnded } from './run-row.ts';
import { foldTasks } from './task-fold.ts';

/** What one record names of the data that a run touched. */
const MOST_DATASETS = 100;
const MOST_REJECTIONS = 16;

/**
 * Stores how a run ended; watchers hear of it.
 *
 * @returns whether it has ended now, by this call or before; not, when it is in another phase than the caller thought
 */
export async function endRun(
  context: RunContext,
  id: string,
  outcome: RunOutcome,
  from: 'waiting' | { readonly attempt: number },
): Promise<boolean> {
  const { runs, hub } = context;
  const { updates, ended } = await persistently(context, () => runs.end(id, outcome, from));
  if (ended) hub.publish(id, updates);
  const over = ended || (await hasEndedBefore(context, id));
  // The answer to the commit may have been lost: then the store knows more than was published.
  if (over && !ended) hub.changed(id);
  if (over) hub.end(id);
  return over;
}

async function hasEndedBefore(context: RunContext, id: string): Promise<boolean> {
  const run = await persistently(context, () => context.runs.find(id));
  return run !== undefined && hasEnded(run);
}

/** Puts the end of a run into the audit, then closes the run. Done again after a restart, a record may stand there twice. */
export async function closeRun(context: RunContext, id: string): Promise<void> {
  const { runs, journal } = context;
  const run = await persistently(context, () => runs.find(id));
  if (run?.phase !== 'ended') return;
  const tasks = await persistently(context, () => foldTasks(runs, id));
  for (const rejection of auditedRejections(run.record)) await journal.record('identity.rejected', id, rejection);
  await journal.record('run.end', id, auditedEnd(run.record, tasks));
  await persistently(context, () => runs.close(id));
}

/**
 * A worker that got no token for a task: also where the gateway never heard of it, because nobody answered or the answer could not be
 * read. What the gateway itself refused stands there a second time, as the worker's word.
 */
function auditedRejections(record: RunRecord): readonly AuditData[] {
  const { attempt, decision, specification, outcome } = record;
  const { role } = specification;
  const findings = outcome?.findings ?? [];
  // A warning tells of a task that went on without a token, because its binding reports.
  const rejected = findings.filter(({ severity, code }) => severity === 'error' && code === 'ERR_IDENTITY_REJECTED');
  return rejected.slice(0, MOST_REJECTIONS).map(({ taskId }) => ({
    role,
    attempt,
    taskId,
    policy: decision.policy,
    binding: decision.binding,
    errorCode: 'ERR_IDENTITY_REJECTED',
    reason: 'told-by-worker',
  }));
}

function auditedEnd(record: RunRecord, tasks: readonly TaskRecord[]): AuditData {
  const { outcome, decision, isolation, code, secrets } = record;
  const flow = runFlow({ ...(outcome as RunOutcome), tasks });
  const inputs = flow.inputs.slice(0, MOST_DATASETS);
  const outputs = flow.outputs.slice(0, MOST_DATASETS);
  const omittedDatasets = flow.inputs.length + flow.outputs.length - inputs.length - outputs.length;
  return {
    ...auditedRun(record),
    policy: decision.policy,
    binding: decision.binding,
    isolation,
    code: code && { ...code },
    secrets,
    inputs,
    outputs,
    state: record.state,
    errorCode: outcome?.findings.find(({ severity }) => severity === 'error')?.code,
    ...(omittedDatasets > 0 && { omittedDatasets }),
  };
}
