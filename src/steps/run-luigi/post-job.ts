import type { Host } from '#core/host.ts';
import type { Step } from '#core/step.ts';
import { type CleanUp, cleanUpLuigiRun, findLuigiRun } from '#engines/luigi/clean-up.ts';
import type { LuigiGatewayEngine } from '#engines/luigi/luigi-gateway.ts';
import { removeTokenFiles } from '#identity/token-file.ts';
import { numberedId } from '#run/run-key.ts';
import { RemoteRunMarks } from '../remote-run-marks.ts';
import { runsDirectory, stateDirectory } from '../state-directory.ts';
import { stopRemoteRun } from '../stop-remote-run.ts';
import { openGateway } from './run-at-gateway.ts';

/** Under which the main handler remembers the key of its runs, before it starts one. */
export const RUN_KEY = 'plumblineRun';

/**
 * The end of the job: stops a run that the main handler could not stop (a container never sees the agent's signal), ends
 * what user code left behind in any attempt, and removes secrets from the disk. A run at a gateway is stopped only when its
 * step was cancelled and could not do it.
 */
export const stopLeftovers: Step = async (host, signal) => {
  // No step of the job runs any more: every file that is left belongs to one that was killed.
  await removeTokenFiles(stateDirectory(host));
  const left = RemoteRunMarks.toStop(host);
  if (left !== undefined) return stopRemoteRun(left, 'at the gateway', () => gatewayEngine(host), host, signal);
  const key = host.memory.get(RUN_KEY);
  if (key === undefined) return { result: 'Succeeded', message: 'No run was started.' };
  const { stopped, found, left: alive } = await cleanUpAll(key, host);
  if (alive) {
    const message = `${alive} processes of the run could not be ended. Look for PLUMBLINE_RUN_ID in their environment on the agent.`;
    host.issue({ type: 'warning', message });
    return { result: 'SucceededWithIssues', message };
  }
  const message = stopped ? 'The run was still going and has been stopped.' : leftBehind(found);
  host.log.info(message);
  return { result: 'Succeeded', message };
};

function gatewayEngine(host: Host): LuigiGatewayEngine {
  const connection = host.connections.selected('gateway');
  if (connection === undefined) throw new TypeError('The step has no gateway connection any more.');
  return openGateway(connection, host).engine;
}

/** The runs of every attempt. */
async function cleanUpAll(key: string, host: Host): Promise<CleanUp> {
  let all: CleanUp = { stopped: false, found: 0, left: 0 };
  for (let number = 1; ; number += 1) {
    const handle = findLuigiRun(runsDirectory(host), numberedId(key, number));
    if (handle === undefined) return all;
    const { stopped, found, left } = await cleanUpLuigiRun(handle);
    const stillThere = left === undefined || all.left === undefined ? undefined : all.left + left;
    all = { stopped: stopped || all.stopped, found: found + all.found, left: stillThere };
  }
}

function leftBehind(found: number): string {
  if (found === 0) return 'The run has left no process behind.';
  return `${found} ${found === 1 ? 'process' : 'processes'} that the run had left behind ended.`;
}
