import { PlumblineError } from '#core/errors.ts';
import type { Provenance } from '#core/provenance.ts';
import type { RunState } from '#core/run.ts';
import type { StepResult } from '#core/step.ts';
import type { RemoteFollowing, RemoteRun } from './follow-remote-run.ts';

interface FindingEngine {
  find(id: string, signal: AbortSignal): Promise<{ readonly state: RunState } | undefined>;
}

/**
 * `wait: false`: from here on the run is nobody's to wait for, and it is not stopped with the job.
 * @param outputs variables that only this step has, and leaves empty
 */
export async function leaveRemoteRun(
  { engine, ref, where, address }: RemoteRun & { readonly engine: FindingEngine },
  { host, signal, marks }: Pick<RemoteFollowing, 'host' | 'signal' | 'marks'>,
  { run }: Provenance,
  outputs: Readonly<Record<string, string>> = {},
): Promise<StepResult> {
  marks.done();
  const state = await stateOf(ref, engine, { host, signal });
  const empty = { ...outputs, tasksTotal: '', tasksFailed: '', lineageFile: '', reportFile: '' };
  for (const [name, value] of Object.entries({ runState: state, ...empty, runUrl: run.url }))
    host.setOutput(name, value);
  const message = `The run ${ref.id} is ${state} ${where} and was not waited for: nothing is known of how it ends. It is ${address}`;
  host.log.info(message);
  return { result: 'Succeeded', message };
}

/** The run is there, whether or not anybody tells at this moment how it stands. */
async function stateOf(
  { id }: RemoteRun['ref'],
  engine: FindingEngine,
  { host, signal }: Pick<RemoteFollowing, 'host' | 'signal'>,
): Promise<RunState> {
  try {
    return (await engine.find(id, signal))?.state ?? 'queued';
  } catch (thrown) {
    signal.throwIfAborted();
    if (!(thrown instanceof PlumblineError)) throw thrown;
    host.log.info(`How the run ${id} stands was not told: ${thrown.message}`);
    return 'queued';
  }
}
