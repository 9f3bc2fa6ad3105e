import { asPlumblineError } from '#core/errors.ts';
import type { Host } from '#core/host.ts';
import type { Provenance } from '#core/provenance.ts';
import { readProvenance } from '#core/read-provenance.ts';
import type { RunOutcome, RunRef, RunUpdate } from '#core/run.ts';
import type { StepResult } from '#core/step.ts';
import type { GatewayRunRequest } from '#engines/luigi/gateway-request.ts';
import { type LuigiGatewayEngine, luigiGateway } from '#engines/luigi/luigi-gateway.ts';
import { createHttp } from '#http/http.ts';
import { type GatewayIdentity, gatewayIdentity } from '#identity/gateway-identity.ts';
import { type FollowedEngine, followRun } from '#run/follow-run.ts';
import { attemptOf, runKey } from '#run/run-key.ts';
import { startOrAdopt } from '#run/start-or-adopt.ts';
import { isDirty } from '../checkout-state.ts';
import { claimedFacts } from '../claimed-facts.ts';
import { conclude, tell } from '../conclude.ts';
import { RemoteRunMarks } from '../remote-run-marks.ts';
import { RunView } from '../run-view.ts';
import { deliveryOf } from './delivery.ts';
import type { GatewayInputs } from './gateway-inputs.ts';
import { gatewayReceipt } from './gateway-receipt.ts';
import type { RunLuigiInputs } from './inputs.ts';

/** The engine of the gateway that a connection names, signed in as this pipeline. Asks nobody yet. */
export function openGateway(
  connection: GatewayInputs['connection'],
  host: Host,
): { readonly engine: LuigiGatewayEngine; readonly identity: GatewayIdentity } {
  const { log, mask, variable } = host;
  const http = createHttp(host.network, { log });
  const identity = gatewayIdentity(connection, { system: host.connections.system(), variable, http, mask });
  return { identity, engine: luigiGateway({ url: identity.url, http, credentials: identity, mask, log }) };
}

/** Runs the task at a gateway, under one of its roles; follows it, or leaves it there. */
export async function runAtGateway(
  inputs: RunLuigiInputs,
  gateway: GatewayInputs,
  host: Host,
  signal: AbortSignal,
): Promise<StepResult> {
  const provenance = readProvenance(host.variable);
  const { engine, identity } = openGateway(gateway.connection, host);
  const dirty = isDirty(provenance.source, signal);
  const request = requestOf(inputs, gateway, provenance, host);
  host.log.info(`Gateway ${engine.url}, role ${request.role}; run ${request.id}`);
  const marks = new RemoteRunMarks(host.memory);
  marks.waiting(request.id, signal);
  const { ref, how } = await startOrAdopt(engine, request, inputs.onExistingRun, signal);
  host.setOutput('runId', ref.id);
  host.setOutput('gatewayRunId', ref.handle);
  if (how === 'adopted') host.log.info(`The run ${ref.id} is there already and is adopted; nothing is started.`);
  if (!gateway.wait) return left(ref, engine, provenance, { host, signal, marks });
  const outcome = await follow(engine, ref, inputs, { host, signal, marks });
  const receipt = await gatewayReceipt(engine, ref, { identity, connection: gateway.connection, host, signal });
  tell(outcome.findings, provenance, host);
  const source = { ...provenance.source, dirty: await dirty };
  return conclude(
    ref,
    outcome,
    deliveryOf(inputs, outcome, { ...receipt, provenance: { ...provenance, source }, host, signal }),
  );
}

interface Surroundings {
  readonly host: Host;
  readonly signal: AbortSignal;
  readonly marks: RemoteRunMarks;
}

function requestOf(
  inputs: RunLuigiInputs,
  { role }: GatewayInputs,
  provenance: Provenance,
  host: Host,
): GatewayRunRequest {
  const { module, task, parameters, workers, timeoutMs } = inputs;
  return {
    id: runKey(provenance, host.variable).id,
    attempt: attemptOf(provenance),
    role,
    module,
    task,
    parameters,
    workers,
    ...(timeoutMs !== undefined && { timeoutMs }),
    claimed: claimedFacts(provenance),
  };
}

/** `wait: false`: the run is the gateway's from here on, and is not stopped with the job. */
async function left(
  ref: RunRef,
  engine: LuigiGatewayEngine,
  { run }: Provenance,
  { host, signal, marks }: Surroundings,
): Promise<StepResult> {
  marks.done();
  const state = (await engine.find(ref.id, signal))?.state ?? 'queued';
  const outputs = { runState: state, rootTaskId: '', tasksTotal: '', tasksFailed: '', lineageFile: '', reportFile: '' };
  for (const [name, value] of Object.entries({ ...outputs, runUrl: run.url })) host.setOutput(name, value);
  const message = `The run ${ref.id} is ${state} at the gateway and was not waited for: nothing is known of how it ends. It is ${engine.url}/v1/runs/${ref.handle}`;
  host.log.info(message);
  return { result: 'Succeeded', message };
}

async function follow(
  engine: LuigiGatewayEngine,
  ref: RunRef,
  { timeoutMs }: RunLuigiInputs,
  { host, signal, marks }: Surroundings,
): Promise<RunOutcome> {
  const view = new RunView(host);
  let confirmed = false;
  const followed: FollowedEngine = {
    name: engine.name,
    follow: (run, until) => engine.follow(run, until),
    cancel: async (run, reason) => {
      const answer = await engine.cancel(run, reason);
      confirmed = answer === 'stopped';
      return answer;
    },
  };
  try {
    const onUpdate = (update: RunUpdate) => {
      if (update.kind === 'state' && update.state === 'queued') host.log.info('  · queued at the gateway');
      view.show(update);
    };
    const outcome = await followRun(followed, ref, { timeoutMs, signal, onUpdate });
    if (!signal.aborted || confirmed) marks.done();
    return outcome;
  } catch (thrown) {
    host.log.info(`The run ${ref.id} may still be going: ${engine.url}/v1/runs/${ref.handle}`);
    throw asPlumblineError(thrown);
  }
}
