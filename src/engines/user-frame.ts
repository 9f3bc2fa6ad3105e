import type { TaskFailure } from '#core/run.ts';

type Frame = NonNullable<TaskFailure['frame']>;

const LIBRARY = /[\\/](site|dist)-packages[\\/]|[\\/]lib[\\/]python\d[\d.]*[\\/]|^</;

const OWN = {
  luigi: /[\\/](site|dist)-packages[\\/]luigi[\\/]/,
  airflow: /[\\/](site|dist)-packages[\\/]airflow[\\/]/,
} as const;

/**
 * The frame of a Python traceback that the owner of the task can mend: the last one in their own code, else the last one that is
 * not the engine's.
 */
export function userFrame(frames: readonly Frame[], engine: keyof typeof OWN): Frame | undefined {
  return frames.findLast(({ file }) => !LIBRARY.test(file)) ?? frames.findLast(({ file }) => !OWN[engine].test(file));
}
