const SHORTEST_MS = 500;
/** With the time that the request takes, the next look is ten seconds after the last. */
const LONGEST_MS = 9_700;
/** The interval as a part of the time that the run has been followed for: a short run is seen to end soon after it did. */
const PART_OF_AGE = 0.4;
/** Spreads the requests of many pipelines, and still leaves 75 of them in ten minutes. */
const JITTER = 0.02;

/**
 * Milliseconds until the state of a run is asked for again: half a second at first, 9.7 s at most.
 * @param ageMs for how long it has been followed
 * @param random 0 to 1
 */
export function pollInterval(ageMs: number, random: number): number {
  const interval = Math.min(LONGEST_MS, Math.max(SHORTEST_MS, ageMs * PART_OF_AGE));
  return interval * (1 - JITTER * random);
}

/** How often the server looks while it holds a wait open. Seconds. */
export const WAIT_INTERVAL_SECONDS = 1;

/**
 * Milliseconds for which one wait is held open. An open wait keeps an API server that is stopped from ending, and tasks that
 * run then fail; so it is short. 24 status requests in ten minutes are the budget, with the looks before the trigger and at both
 * ends: no less than 29 s.
 * @param random 0 to 1
 */
export function waitLength(random: number): number {
  return 29_000 + 1_000 * random;
}

const FIRST_READ_MS = 1_000;
const LONGEST_GAP_MS = 120_000;

/** Milliseconds until the task instances are read, counted from when the run was seen running, or from the read before. */
export function taskReadGap(readsBefore: number): number {
  return Math.min(FIRST_READ_MS * 2 ** Math.min(readsBefore, 20), LONGEST_GAP_MS);
}

const FIRST_BACKOFF_MS = 250;
const LONGEST_BACKOFF_MS = 10_000;
const LONGEST_ASKED_MS = 60_000;

/**
 * Milliseconds until a server that did not answer is asked again: doubling up to 10 s, and no earlier than it asked for.
 * @param failures in a row, at least 1
 * @param askedMs what `Retry-After` said; more than a minute is not believed
 * @param random 0 to 1
 */
export function backOff(failures: number, askedMs: number | undefined, random: number): number {
  const longest = Math.min(FIRST_BACKOFF_MS * 2 ** Math.min(failures - 1, 20), LONGEST_BACKOFF_MS);
  return Math.max(longest * (0.5 + random / 2), Math.min(askedMs ?? 0, LONGEST_ASKED_MS));
}
