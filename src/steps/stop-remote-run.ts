import { asPlumblineError } from '#core/errors.ts';
import type { Host } from '#core/host.ts';
import type { StepResult } from '#core/step.ts';
import type { Engine, FoundRun } from '#engines/engine.ts';
import { newestRun } from '#run/newest-run.ts';

type StoppingEngine = Pick<Engine<never>, 'find' | 'cancel'>;

/**
 * Stops the newest run of a key for a step that was cancelled and killed before it could.
 * @param where `at the gateway`, `in Airflow`
 * @param open may fail; what it throws is told
 */
export async function stopRemoteRun(
  key: string,
  where: string,
  open: () => StoppingEngine | Promise<StoppingEngine>,
  host: Host,
  signal: AbortSignal,
): Promise<StepResult> {
  try {
    const engine = await open();
    const { newest: run } = await newestRun(key, (id) => engine.find(id, signal));
    if (run === undefined) return said(host, `There is no run ${where} that could be stopped.`);
    if (!STOPPABLE.has(run.state)) return said(host, `The run ${where} has ended by itself.`);
    const answer = await engine.cancel(run.ref, 'cancelled');
    if (answer === 'requested') return said(host, `The run ${where} was asked to stop and is still winding down.`);
    const was = ALIVE.has(run.state) ? 'was still going and has been stopped' : 'was asked to stop before, and has';
    return said(host, `The run ${where} ${was}.`);
  } catch (thrown) {
    const message = `The run ${key} ${where} could not be stopped and may still be going: ${asPlumblineError(thrown).message}`;
    host.issue({ type: 'warning', message });
    return { result: 'SucceededWithIssues', message };
  }
}

const ALIVE: ReadonlySet<FoundRun['state']> = new Set(['queued', 'running']);
/** One that the step asked to stop may have ended without what it was doing: asked again, the engine looks again. */
const STOPPABLE: ReadonlySet<FoundRun['state']> = new Set([...ALIVE, 'cancelled']);

function said(host: Host, message: string): StepResult {
  host.log.info(message);
  return { result: 'Succeeded', message };
}
