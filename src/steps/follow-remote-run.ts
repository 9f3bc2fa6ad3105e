import { asPlumblineError } from '#core/errors.ts';
import type { Host } from '#core/host.ts';
import type { RunOutcome, RunRef, RunUpdate } from '#core/run.ts';
import { type FollowedEngine, followRun } from '#run/follow-run.ts';
import type { RemoteRunMarks } from './remote-run-marks.ts';
import { RunView } from './run-view.ts';

/** A run that goes on without this process, and where it is. */
export interface RemoteRun {
  readonly engine: FollowedEngine;
  readonly ref: RunRef;
  /** `at the gateway`, `in Airflow`. */
  readonly where: string;
  /** For a person who looks after it. */
  readonly address: string;
}

export interface RemoteFollowing {
  readonly host: Host;
  readonly signal: AbortSignal;
  readonly marks: RemoteRunMarks;
  readonly timeoutMs: number | undefined;
  /** As in {@link followRun}. */
  readonly stopWithinMs?: number | undefined;
}

/**
 * Follows the run to its end, shows it, and stops it when the step is cancelled. The mark for the end of the job is taken
 * away only when nothing is left to stop.
 */
export async function followRemoteRun(run: RemoteRun, following: RemoteFollowing): Promise<RunOutcome> {
  const { engine, ref, where, address } = run;
  const { host, signal, marks, timeoutMs, stopWithinMs } = following;
  const view = new RunView(host);
  let confirmed = false;
  const followed: FollowedEngine = {
    name: engine.name,
    follow: (of, until) => engine.follow(of, until),
    cancel: async (of, reason) => {
      const answer = await engine.cancel(of, reason);
      confirmed = answer === 'stopped';
      return answer;
    },
  };
  const onUpdate = (update: RunUpdate) => {
    if (update.kind === 'state' && update.state === 'queued') host.log.info(`  · queued ${where}`);
    view.show(update);
  };
  try {
    const outcome = await followRun(followed, ref, { timeoutMs, signal, onUpdate, stopWithinMs });
    if (!signal.aborted || confirmed) marks.done();
    return outcome;
  } catch (thrown) {
    host.log.info(`The run ${ref.id} may still be going: ${address}`);
    throw asPlumblineError(thrown);
  }
}
