import fc from 'fast-check';

/** Minutes that each fuzz of `npm run soak` takes, and that the chaos takes of it. */
export const SOAK_MINUTES = Number(process.env['SOAK_MINUTES'] || 2);

/** Decides everything that a soak makes up; printed, and taken from SOAK_SEED to do the same again. */
export const SOAK_SEED = Number(process.env['SOAK_SEED'] || Math.floor(Math.random() * 0x7fffffff));

export interface Budget {
  readonly name: string;
  readonly minutes?: number;
}

/** Tries a property until its time is up, and says how often that was. A failure names the seed and the path to it. */
export async function fuzz<Values>(
  { name, minutes = SOAK_MINUTES }: Budget,
  property: fc.IRawProperty<Values>,
): Promise<void> {
  const details = await fc.check(property, {
    seed: SOAK_SEED,
    numRuns: Number.MAX_SAFE_INTEGER,
    interruptAfterTimeLimit: minutes * 60_000,
    markInterruptAsFailure: false,
  });
  say(`${name}: ${details.numRuns.toLocaleString('en')} cases in ${minutes} min, seed ${SOAK_SEED}`);
  if (details.failed) throw new Error(fc.defaultReportMessage(details), { cause: details.errorInstance });
}

/** A line for whoever reads the log of a soak. */
export function say(line: string): void {
  console.log(`      ${line}`);
}

/** Numbers from 0 to 1 that a seed decides (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
