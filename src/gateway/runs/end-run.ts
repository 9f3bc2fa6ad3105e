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
  await journal.record('run.end', id, auditedEnd(run.record, tasks));
  await persistently(context, () => runs.close(id));
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
