import type { RunUpdate } from '#core/run.ts';
import type { EventTail } from './event-tail.ts';
import type { FileSignal } from './file-signal.ts';
import { concludeRun, type EndedRun } from './outcome.ts';
import { RunStory } from './run-story.ts';

/** What a follower asks of a run beside its events. */
export interface FollowedRun {
  /** Nothing will be written any more. */
  isOver(): boolean;
  /** Asks the worker to end because its events are of no use: it speaks another protocol, or there are too many. */
  refuse(): void;
  /** Called once the run is over and everything was read. */
  ended(story: RunStory): Promise<EndedRun>;
}

/**
 * Every transition of a run in order, the outcome last. What it yields depends on the event file and on what `ended` says alone,
 * so that whoever follows again gets the same.
 * @param tail absent: there is no event file that can be read
 */
export async function* followWorker(
  run: FollowedRun,
  tail: EventTail | undefined,
  changes: FileSignal,
  signal: AbortSignal,
): AsyncGenerator<RunUpdate> {
  const story = new RunStory();
  for (;;) {
    // Asked before the reading: what was written before the end is then read after it.
    const isOver = run.isOver();
    for (const line of tail?.read() ?? []) yield* story.fold(line);
    if (isOver) break;
    if (story.foreign !== undefined || tail?.isFull) run.refuse();
    await changes.wait();
    signal.throwIfAborted();
  }
  for (const line of tail?.readRest() ?? []) yield* story.fold(line);
  yield* concludeRun(await run.ended(story));
}
