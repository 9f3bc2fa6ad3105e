import { join } from 'node:path';
import { azureDevOpsRecords } from '#azure-devops/run-records.ts';
import { asPlumblineError } from '#core/errors.ts';
import type { Host } from '#core/host.ts';
import { neutraliseJson } from '#core/neutralise.ts';
import { PRODUCT_VERSION } from '#core/product-version.ts';
import type { Provenance } from '#core/provenance.ts';
import type { Finding, RunOutcome, RunRef, TaskState } from '#core/run.ts';
import { describeLineage, type LineageOptions } from '#lineage/describe-lineage.ts';
import { encodeLineage } from '#lineage/encode-lineage.ts';
import { writeLineageFile } from '#lineage/lineage-file.ts';
import type { RunEvent } from '#lineage/open-lineage.ts';
import { type Publication, publishReport } from '#publish/publish-report.ts';
import { buildReport } from '#report/build-report.ts';
import { renderSummary } from '#report/render-summary.ts';
import type { Cut, GatewayFacts, IdentityFacts, LineageReceipt, Report, SecretUse } from '#report/schema.ts';
import { RunFiles } from './run-files.ts';
import { stateDirectory } from './state-directory.ts';

export interface Delivery {
  /** The task family or the DAG that was asked for. */
  readonly workflow: string;
  readonly lineage: 'run' | 'file' | 'none';
  /** Beside run, workflow and version. */
  readonly describe?: Omit<LineageOptions, 'runId' | 'workflow' | 'producerVersion'> | undefined;
  /** Whom the step acted as, and the secrets it read. */
  readonly grants: { readonly identity: IdentityFacts | undefined; readonly uses: readonly SecretUse[] };
  /** Only of a run at a gateway. */
  readonly gateway?: GatewayFacts | undefined;
  /** Only of an engine with pages of its own. */
  readonly engineUrl?: string | undefined;
  /** By which the systems on either side of the run name the whole story. */
  readonly sharedId?: string | undefined;
  /** Output variables that only this step has. */
  readonly outputs?: Readonly<Record<string, string>> | undefined;
  readonly provenance: Provenance;
  readonly host: Host;
  readonly signal: AbortSignal;
}

/** A cancelled step is killed 10 s after the agent's first signal; stopping the run comes first and takes most of it. */
const CANCELLED_PUBLISH_MS = 2_000;
const PUBLISH_MS = 120_000;

const FAILED: ReadonlySet<TaskState> = new Set(['failed', 'died', 'disabled', 'unschedulable']);

/**
 * Keeps what there is to know of a run that ended: output variables, files for the steps that follow, and report, summary,
 * lineage, tags and properties on the pipeline run.
 * @returns what could not be delivered; the run itself is not touched by it
 */
export async function deliver(ref: RunRef, outcome: RunOutcome, delivery: Delivery): Promise<readonly Finding[]> {
  const { host, provenance } = delivery;
  const files = new RunFiles(join(stateDirectory(host), 'reports', ref.id));
  const lineage = await keepLineage(ref, outcome, delivery, files);
  const report = reportOf(ref, outcome, delivery, lineage);
  const reportFile = await files.keep('report.json', `${neutraliseJson(JSON.stringify(report))}\n`);
  const summary = renderSummary(report);
  await files.keep('summary.md', summary);
  const outputs = {
    ...delivery.outputs,
    runState: outcome.state,
    tasksTotal: String(outcome.tasks.length),
    tasksFailed: String(outcome.tasks.filter(({ state }) => FAILED.has(state)).length),
    lineageFile: lineage?.file ?? '',
    reportFile,
    runUrl: provenance.run.url,
  };
  for (const [name, value] of Object.entries(outputs)) host.setOutput(name, value);
  const attached = delivery.lineage === 'run' ? lineage?.text : undefined;
  return [...files.unwritten, ...(await publish({ report, summary, lineage: attached }, delivery))];
}

async function publish(publication: Publication, { host, signal }: Delivery): Promise<readonly Finding[]> {
  const deadline = AbortSignal.any([AbortSignal.timeout(PUBLISH_MS), soonAfter(signal)]);
  try {
    const system = host.connections.system();
    if (system === undefined) return [];
    const { network, variable } = host;
    return await publishReport(publication, azureDevOpsRecords({ system, network, variable, signal: deadline }));
  } catch (thrown) {
    const { code, message, remedy } = asPlumblineError(thrown);
    return [{ severity: 'warning', code, message, remedy }];
  }
}

/** Aborts some time after the step was cancelled, also when that happens in the middle of publishing. */
function soonAfter(cancelled: AbortSignal): AbortSignal {
  const soon = new AbortController();
  const arm = () => setTimeout(() => soon.abort(), CANCELLED_PUBLISH_MS).unref();
  if (cancelled.aborted) arm();
  else cancelled.addEventListener('abort', arm, { once: true });
  return soon.signal;
}

interface KeptLineage {
  readonly file: string;
  readonly text: string;
  readonly receipt: LineageReceipt;
  readonly cut: readonly Cut[];
}

async function keepLineage(
  ref: RunRef,
  outcome: RunOutcome,
  { lineage: sink, workflow, describe, provenance }: Delivery,
  files: RunFiles,
): Promise<KeptLineage | undefined> {
  if (sink === 'none') return undefined;
  const options = { ...describe, runId: ref.id, workflow, producerVersion: PRODUCT_VERSION };
  const lineage = describeLineage(outcome, provenance, options);
  const { text, events, omittedRuns } = encodeLineage(lineage);
  const file = await files.keep('lineage.jsonl', text, writeLineageFile);
  const { namespace, stepRunId, workflowRunId, omittedDatasets } = lineage;
  const kept = datasetsOf(lineage.events);
  const runs = new Set(lineage.events.map(({ run }) => run.runId)).size;
  return {
    file,
    text,
    receipt: { namespace, stepRunId, workflowRunId, events, sink },
    cut: [
      ...(omittedRuns > 0 ? [{ what: 'lineage runs', kept: runs - omittedRuns, total: runs } as const] : []),
      ...(omittedDatasets > 0 ? [{ what: 'lineage datasets', kept, total: kept + omittedDatasets } as const] : []),
    ],
  };
}

/** Datasets told at the end of each run; those at its start are the same. */
function datasetsOf(events: readonly RunEvent[]): number {
  const ends = events.filter(({ eventType }) => eventType !== 'START');
  return ends.reduce((sum, { inputs, outputs }) => sum + (inputs?.length ?? 0) + (outputs?.length ?? 0), 0);
}

function reportOf(ref: RunRef, outcome: RunOutcome, delivery: Delivery, lineage: KeptLineage | undefined): Report {
  const { workflow, grants, gateway, engineUrl, sharedId, provenance } = delivery;
  return buildReport(outcome, provenance, {
    runId: ref.id,
    workflow,
    engineUrl,
    sharedId,
    producerVersion: PRODUCT_VERSION,
    createdAt: Date.now(),
    identity: grants.identity,
    secrets: grants.uses,
    gateway,
    lineage: lineage?.receipt,
    lineageCut: lineage?.cut,
  });
}
