import type { Step } from '#core/step.ts';
import { cleanUpLuigiRun } from '#engines/luigi/clean-up.ts';

/** Under which the main handler remembers where its run is. */
export const RUN_HANDLE = 'plumblineRun';

/**
 * The end of the job: stops a run that the main handler could not stop (a container never sees the agent's signal), ends
 * what user code left behind, and removes secrets from the disk.
 */
export const stopLeftovers: Step = async (host) => {
  const handle = host.memory.get(RUN_HANDLE);
  if (handle === undefined) return { result: 'Succeeded', message: 'No run was started.' };
  const { stopped, found, left } = await cleanUpLuigiRun(handle);
  if (left) {
    const message = `${left} processes of the run could not be ended. Look for PLUMBLINE_RUN_ID in their environment on the agent.`;
    host.issue({ type: 'warning', message });
    return { result: 'SucceededWithIssues', message };
  }
  const message = stopped ? 'The run was still going and has been stopped.' : leftBehind(found);
  host.log.info(message);
  return { result: 'Succeeded', message };
};

function leftBehind(found: number): string {
  if (found === 0) return 'The run has left no process behind.';
  return `${found} ${found === 1 ? 'process' : 'processes'} that the run had left behind ended.`;
}
