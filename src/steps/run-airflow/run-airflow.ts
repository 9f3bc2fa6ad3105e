import type { Host } from '#core/host.ts';
import { PRODUCT_VERSION } from '#core/product-version.ts';
import type { Provenance } from '#core/provenance.ts';
import { readProvenance } from '#core/read-provenance.ts';
import type { RunOutcome } from '#core/run.ts';
import type { Step, StepResult } from '#core/step.ts';
import { withRemedy } from '#core/with-remedy.ts';
import type { CalledBy } from '#lineage/called-by.ts';
import { runKey } from '#run/run-key.ts';
import type { StartedRun } from '#run/start-or-adopt.ts';
import { isDirty } from '../checkout-state.ts';
import { conclude, tell } from '../conclude.ts';
import type { Delivery } from '../deliver.ts';
import { followRemoteRun, type RemoteRun } from '../follow-remote-run.ts';
import { leaveRemoteRun } from '../leave-remote-run.ts';
import { RemoteRunMarks } from '../remote-run-marks.ts';
import { startRemoteRun } from '../start-remote-run.ts';
import { refuseSecrets } from './conf-inputs.ts';
import { dagRunLineage } from './dag-run-lineage.ts';
import { handOnResults } from './hand-on-results.ts';
import { type RunAirflowInputs, readInputs } from './inputs.ts';
import { type OpenDag, openDag } from './open-dag.ts';
import { pipelineLine } from './run-note.ts';
import { type RunNames, runRequest } from './run-request.ts';

/** Airflow's answer to a cancel takes up to 6 s, and the agent's next signal comes after 7.5 s. */
const STOP_WITHIN_MS = 1_000;

/**
 * `RunAirflow@1`: triggers a run of a DAG on Airflow 2.11 or 3, follows it task by task, and publishes report, summary and
 * lineage to the pipeline run.
 */
export const runAirflow: Step = async (host, signal) => {
  const provenance = readProvenance(host.variable);
  const key = runKey(provenance, host.variable).id;
  const sharedIdOf = (calledBy: CalledBy | undefined) => calledBy?.sharedId ?? key;
  const inputs = await readInputs(host, (calledBy) => pipelineLine(provenance, sharedIdOf(calledBy)));
  const names: RunNames = { key, sharedId: sharedIdOf(inputs.calledBy) };
  host.log.info(`RunAirflow ${PRODUCT_VERSION}: DAG ${inputs.dagId}${callerWords(inputs.calledBy)}`);
  // Asked while Airflow is asked: neither waits for the other.
  const dirty = isDirty(provenance.source, signal);
  const dag = await openDag(inputs, inputs, host, signal);
  sayWhere(dag, host);
  await dag.signedIn.identity.credentials.headers(dag.api.api, signal);
  refuseSecrets(inputs, host);
  const marks = new RemoteRunMarks(host.memory);
  const request = runRequest(inputs, provenance, names);
  const started = await startRemoteRun(dag.engine, request, inputs.onExistingRun, { marks, signal });
  const run = { engine: dag.engine, ref: started.ref, where: 'in Airflow', address: dag.engine.runUrl(started.ref) };
  tellRun(started, run, names, host);
  if (!inputs.wait) return leaveRemoteRun(run, { host, signal, marks }, provenance);
  const { timeoutMs } = inputs;
  const outcome = await followRemoteRun(run, { host, signal, marks, timeoutMs, stopWithinMs: STOP_WITHIN_MS });
  const source = { ...provenance.source, dirty: await dirty };
  const resumed = started.how === 'resumed';
  return finish(dag, outcome, inputs, { run, resumed, names, provenance: { ...provenance, source }, host, signal });
};

function callerWords(calledBy: CalledBy | undefined): string {
  return calledBy === undefined ? '' : `, called by ${calledBy.parent?.job.name ?? 'a gateway'} (${calledBy.sharedId})`;
}

function sayWhere({ api, signedIn: { identity } }: OpenDag, host: Host): void {
  host.log.info(`Airflow ${api.version} at ${api.url}`);
  if (!identity.stored) return;
  const what = identity.kind === 'token' ? 'token' : 'password';
  host.issue({
    type: 'warning',
    code: 'ERR_CONNECTION_STORED_SECRET',
    message: withRemedy(
      `The service connection keeps Airflow's ${what} in Azure DevOps`,
      'Name it in a Key Vault with the input credentialSecret, or use a connection through a gateway (docs/run-airflow.md).',
    ),
  });
}

/** Said as soon as it is known: whoever looks for the run needs it most when the step does not come to its end. */
function tellRun({ ref, how }: StartedRun, { address }: RemoteRun, { sharedId }: RunNames, host: Host): void {
  for (const [name, value] of Object.entries({ runId: ref.id, dagRunId: ref.id, dagRunUrl: address, sharedId })) {
    host.setOutput(name, value);
  }
  if (how === 'adopted') host.log.info(`The run ${ref.id} is there already and is adopted; nothing is started.`);
  if (how === 'resumed')
    host.log.info(`The run ${ref.id} had ended without success; its failed tasks are cleared and it goes on.`);
  host.log.info(`DAG run ${ref.id}: ${address}`);
}

interface Ended {
  readonly run: RemoteRun;
  readonly resumed: boolean;
  readonly names: RunNames;
  readonly provenance: Provenance;
  readonly host: Host;
  readonly signal: AbortSignal;
}

async function finish(
  { api, signedIn }: OpenDag,
  outcome: RunOutcome,
  inputs: RunAirflowInputs,
  { run, resumed, names, provenance, host, signal }: Ended,
): Promise<StepResult> {
  const describe = await dagRunLineage(api, run.ref, inputs, { resumed, provenance, host, signal });
  const told = await withResults(outcome, () => handOnResults(api, run.ref, inputs.results, host, signal));
  tell(told.findings, provenance, host);
  const delivery: Delivery = {
    workflow: inputs.dagId,
    lineage: inputs.lineage,
    describe,
    grants: signedIn.grants(),
    engineUrl: run.address,
    sharedId: names.sharedId,
    provenance,
    host,
    signal,
  };
  return conclude(run.ref, told, delivery, told.findings.length > 0);
}

/** Values of a run that did not succeed are nobody's to rely on. */
async function withResults(outcome: RunOutcome, read: () => Promise<RunOutcome['findings']>): Promise<RunOutcome> {
  if (outcome.state !== 'succeeded') return outcome;
  return { ...outcome, findings: [...outcome.findings, ...(await read())] };
}
