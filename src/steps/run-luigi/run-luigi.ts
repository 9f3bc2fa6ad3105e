import { dirname, join } from 'node:path';
import { asPlumblineError, type PlumblineError } from '#core/errors.ts';
import type { Host, HostIssue } from '#core/host.ts';
import { PRODUCT_VERSION } from '#core/product-version.ts';
import type { Provenance } from '#core/provenance.ts';
import { readProvenance } from '#core/read-provenance.ts';
import type { RunOutcome, RunRef } from '#core/run.ts';
import type { Step, StepResult } from '#core/step.ts';
import { withRemedy } from '#core/with-remedy.ts';
import type { Engine } from '#engines/engine.ts';
import { luigiAgent } from '#engines/luigi/luigi-agent.ts';
import { type PythonInterpreter, resolvePython } from '#engines/luigi/python-interpreter.ts';
import type { LuigiRunRequest } from '#engines/luigi/request.ts';
import { followRun } from '#run/follow-run.ts';
import { attemptOf, runKey } from '#run/run-key.ts';
import { startOrAdopt } from '#run/start-or-adopt.ts';
import { isDirty } from '../checkout-state.ts';
import { conclude, tell } from '../conclude.ts';
import { RunView } from '../run-view.ts';
import { runsDirectory } from '../state-directory.ts';
import { deliveryOf } from './delivery.ts';
import { type Grants, openGrants } from './grants.ts';
import { type RunLuigiInputs, readInputs } from './inputs.ts';
import { RUN_KEY } from './post-job.ts';
import { runAtGateway } from './run-at-gateway.ts';

/**
 * `RunLuigi@1`: runs a Luigi task with everything it requires, on this agent under the identity of a service connection or at
 * a gateway under one of its roles, follows it task by task, and publishes report, summary and lineage to the pipeline run.
 */
export const runLuigi: Step = async (host, signal) => {
  const inputs = await readInputs(host);
  host.log.info(`RunLuigi ${PRODUCT_VERSION}: ${inputs.task} of ${inputs.module}`);
  return inputs.gateway === undefined
    ? runOnAgent(inputs, host, signal)
    : runAtGateway(inputs, inputs.gateway, host, signal);
};

async function runOnAgent(inputs: RunLuigiInputs, host: Host, signal: AbortSignal): Promise<StepResult> {
  const provenance = readProvenance(host.variable);
  // Neither waits for the other: it is read while the connection signs in.
  const python = resolvePython(inputs, signal);
  python.catch(() => {});
  // Asked before the run, whose outputs may lie in the checkout.
  const dirty = isDirty(provenance.source, signal);
  const refused = new AbortController();
  const grants = await openGrants(inputs, host, signal, (error) => refused.abort(error));
  try {
    const request = requestOf(inputs, await python, grants, provenance, host);
    const { ref, outcome } = await run(request, inputs, host, AbortSignal.any([signal, refused.signal]));
    // An identity that is refused in the middle is a security signal: the run was stopped because of it.
    if (refused.signal.aborted) host.issue(refusal(asPlumblineError(refused.signal.reason)));
    tell(outcome.findings, provenance, host);
    const source = { ...provenance.source, dirty: await dirty };
    return await conclude(
      ref,
      outcome,
      deliveryOf(inputs, outcome, { grants, provenance: { ...provenance, source }, host, signal }),
    );
  } finally {
    await grants.close();
  }
}

function requestOf(
  inputs: RunLuigiInputs,
  python: PythonInterpreter,
  grants: Grants,
  provenance: Provenance,
  host: Host,
): LuigiRunRequest {
  const key = runKey(provenance, host.variable);
  host.log.info(`Python ${python.version} with Luigi ${python.luigiVersion} at ${python.path}; run ${key.id}`);
  return {
    id: key.id,
    attempt: attemptOf(provenance),
    module: inputs.module,
    task: inputs.task,
    parameters: inputs.parameters,
    secretParameters: grants.parameters,
    environment: grants.environment,
    secretEnvironment: grants.variables,
    secretFiles: grants.files,
    python,
    workingDirectory: inputs.workingDirectory,
    scheduler: inputs.scheduler,
    workers: inputs.workers,
    redact: [],
  };
}

async function run(
  request: LuigiRunRequest,
  { onExistingRun, timeoutMs }: RunLuigiInputs,
  host: Host,
  signal: AbortSignal,
): Promise<{ readonly ref: RunRef; readonly outcome: RunOutcome }> {
  const engine = engineOf(host);
  host.memory.set(RUN_KEY, request.id);
  const { ref, how } = await startOrAdopt(engine, request, onExistingRun, signal);
  host.setOutput('runId', ref.id);
  host.setOutput('gatewayRunId', '');
  if (how === 'adopted') host.log.info(`The run ${ref.id} is there already and is adopted; nothing is started.`);
  const view = new RunView(host);
  const outcome = await followRun(engine, ref, { timeoutMs, signal, onUpdate: (update) => view.show(update) });
  return { ref, outcome };
}

function engineOf(host: Host): Engine<LuigiRunRequest> {
  return luigiAgent({
    // The worker lies beside the file that the agent starts.
    workerPath: join(dirname(process.argv[1] ?? ''), 'worker', 'plumbline_luigi'),
    runsDirectory: runsDirectory(host),
    output: host.log.output,
  });
}

function refusal({ message, remedy, code }: PlumblineError): HostIssue {
  return { type: 'error', message: withRemedy(`The run was stopped. ${message}`, remedy), code };
}
