import { PlumblineError } from '#core/errors.ts';
import type { RunRef, RunState } from '#core/run.ts';
import type { Engine, FoundRun } from '#engines/engine.ts';
import { newestRun } from './newest-run.ts';
import { numberedId } from './run-key.ts';

/** `clearFailed` needs an engine that can resume. */
export type OnExistingRun = 'adopt' | 'fail' | 'new' | 'clearFailed';

/** Where a run that was found stands, as the table of docs/outcomes.md names it. */
export type Standing = 'none' | 'alive' | 'unsuccessful' | 'succeeded' | 'succeeded-before';

export type Decision = 'start' | 'adopt' | 'refuse' | 'resume';

/**
 * "Same run, once": what to do with the newest run of a key. A retried step or stage really runs again; only success within
 * the same attempt, and what still goes, is taken over.
 */
export const ADOPTION_TABLE: Readonly<Record<Standing, Readonly<Record<OnExistingRun, Decision>>>> = {
  none: { adopt: 'start', fail: 'start', new: 'start', clearFailed: 'start' },
  alive: { adopt: 'adopt', fail: 'refuse', new: 'start', clearFailed: 'adopt' },
  unsuccessful: { adopt: 'start', fail: 'start', new: 'start', clearFailed: 'resume' },
  succeeded: { adopt: 'adopt', fail: 'refuse', new: 'start', clearFailed: 'adopt' },
  'succeeded-before': { adopt: 'start', fail: 'start', new: 'start', clearFailed: 'start' },
};

export interface StartedRun {
  readonly ref: RunRef;
  /** `adopted`: it was there already; this step started nothing. `resumed`: it had ended, and goes on where it failed. */
  readonly how: 'started' | 'adopted' | 'resumed';
  /** What stood in its place before. */
  readonly standing: Standing;
}

export interface RunRequest {
  readonly id: string;
  readonly attempt: string;
}

/**
 * Starts the run, or takes over the one that the same step started before.
 * @param request its `id` is the run key; the run gets `key`, or `key~2`, `key~3`, … after runs that ended
 * @throws {PlumblineError} `ERR_RUN_EXISTS` when one exists and `onExistingRun` is `fail`
 * @throws {TypeError} when a run is to be resumed by an engine that cannot
 */
export async function startOrAdopt<Request extends RunRequest>(
  engine: Engine<Request>,
  request: Request,
  onExistingRun: OnExistingRun,
  signal: AbortSignal,
): Promise<StartedRun> {
  const { newest, number } = await newestRun(request.id, (id) => engine.find(id, signal));
  const standing = standingOf(newest, request.attempt);
  const decision = ADOPTION_TABLE[standing][onExistingRun];
  if (newest && decision === 'refuse') throw exists(newest);
  if (newest && decision === 'adopt') return { ref: newest.ref, how: 'adopted', standing };
  if (newest && decision === 'resume')
    return { ref: await resumed(engine, newest, request, signal), how: 'resumed', standing };
  const id = numberedId(request.id, number + 1);
  return { ref: await engine.start({ ...request, id }, signal), how: 'started', standing };
}

function resumed<Request extends RunRequest>(
  engine: Engine<Request>,
  { ref }: FoundRun,
  { attempt }: RunRequest,
  signal: AbortSignal,
): Promise<RunRef> {
  if (engine.resume === undefined) throw new TypeError(`The engine ${engine.name} cannot resume a run.`);
  return engine.resume(ref, attempt, signal);
}

/** An unknown end is no success: it is run again. */
export function standingOf(found: FoundRun | undefined, attempt: string): Standing {
  if (!found) return 'none';
  if (ALIVE.has(found.state)) return 'alive';
  if (found.state !== 'succeeded') return 'unsuccessful';
  return found.attempt === attempt ? 'succeeded' : 'succeeded-before';
}

const ALIVE: ReadonlySet<RunState> = new Set(['queued', 'running']);

function exists({ ref, state }: FoundRun): PlumblineError {
  const how = ALIVE.has(state) ? 'is still going' : 'has succeeded in this attempt';
  return new PlumblineError('ERR_RUN_EXISTS', `The run ${ref.id} was not started: it exists and ${how}`, {
    remedy: 'Set onExistingRun to adopt to take it over, or to new to run it beside.',
    details: { id: ref.id, state },
  });
}
