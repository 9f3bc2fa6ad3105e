import type { Frame } from './worker-event.ts';

const LUIGI = /[\\/](site|dist)-packages[\\/]luigi[\\/]/;
const LIBRARY = /[\\/](site|dist)-packages[\\/]|[\\/]lib[\\/]python\d[\d.]*[\\/]|^</;

/** The frame that the owner of the task can mend: the last one in their own code, else the last one that is not Luigi's. */
export function userFrame(frames: readonly Frame[]): Frame | undefined {
  return frames.findLast(({ file }) => !LIBRARY.test(file)) ?? frames.findLast(({ file }) => !LUIGI.test(file));
}
