import { PlumblineError } from '#core/errors.ts';
import type { Engine } from '#engines/engine.ts';
import { type OnExistingRun, type RunRequest, type StartedRun, startOrAdopt } from '#run/start-or-adopt.ts';
import type { RemoteRunMarks } from './remote-run-marks.ts';

/**
 * Starts the run or takes it over, with the mark that the end of the job needs to stop what this step cannot. Where it was
 * refused, nothing of ours goes on, and the end of the job has to leave alone whatever bears the key.
 */
export async function startRemoteRun<Request extends RunRequest>(
  engine: Engine<Request>,
  request: Request,
  onExistingRun: OnExistingRun,
  { marks, signal }: { readonly marks: RemoteRunMarks; readonly signal: AbortSignal },
): Promise<StartedRun> {
  marks.waiting(request.id, signal);
  try {
    return await startOrAdopt(engine, request, onExistingRun, signal);
  } catch (thrown) {
    if (thrown instanceof PlumblineError && thrown.family === 'configuration') marks.done();
    throw thrown;
  }
}
