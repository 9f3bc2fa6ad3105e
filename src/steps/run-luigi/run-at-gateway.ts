import type { Host } from '#core/host.ts';
import type { Provenance } from '#core/provenance.ts';
import { readProvenance } from '#core/read-provenance.ts';
import type { StepResult } from '#core/step.ts';
import type { GatewayRunRequest } from '#engines/luigi/gateway-request.ts';
import { type LuigiGatewayEngine, luigiGateway } from '#engines/luigi/luigi-gateway.ts';
import { createHttp } from '#http/http.ts';
import { type GatewayIdentity, gatewayIdentity } from '#identity/gateway-identity.ts';
import { attemptOf, runKey } from '#run/run-key.ts';
import { isDirty } from '../checkout-state.ts';
import { claimedFacts } from '../claimed-facts.ts';
import { conclude, tell } from '../conclude.ts';
import { followRemoteRun } from '../follow-remote-run.ts';
import { leaveRemoteRun } from '../leave-remote-run.ts';
import { RemoteRunMarks } from '../remote-run-marks.ts';
import { startRemoteRun } from '../start-remote-run.ts';
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
  const { ref, how } = await startRemoteRun(engine, request, inputs.onExistingRun, { marks, signal });
  host.setOutput('runId', ref.id);
  host.setOutput('gatewayRunId', ref.handle);
  if (how === 'adopted') host.log.info(`The run ${ref.id} is there already and is adopted; nothing is started.`);
  const run = { engine, ref, where: 'at the gateway', address: `${engine.url}/v1/runs/${ref.handle}` };
  if (!gateway.wait) return leaveRemoteRun(run, { host, signal, marks }, provenance, { rootTaskId: '' });
  const outcome = await followRemoteRun(run, { host, signal, marks, timeoutMs: inputs.timeoutMs });
  const receipt = await gatewayReceipt(engine, ref, { identity, connection: gateway.connection, host, signal });
  tell(outcome.findings, provenance, host);
  const source = { ...provenance.source, dirty: await dirty };
  return conclude(
    ref,
    outcome,
    deliveryOf(inputs, outcome, { ...receipt, provenance: { ...provenance, source }, host, signal }),
  );
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
