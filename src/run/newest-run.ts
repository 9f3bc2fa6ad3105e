import { PlumblineError } from '#core/errors.ts';
import { numberedId } from './run-key.ts';

/** More runs of one key than any retry makes: something starts them in a circle. */
const MOST_RUNS = 1_000;
/** Somebody may have deleted one run of a key, as one that failed; those after it are no less there. */
const MOST_MISSING = 1;

/**
 * The newest run of a key. An engine is asked for `key`, `key~2`, … until two of them in a row are not there.
 * @param find as that of an engine; what it throws passes through
 * @returns the run and its number, 0 when there is none
 * @throws {PlumblineError} `ERR_RUN_EXISTS` when there are 1,000 runs
 */
export async function newestRun<Found>(
  key: string,
  find: (id: string) => Promise<Found | undefined>,
): Promise<{ readonly newest: Found | undefined; readonly number: number }> {
  let newest: Found | undefined;
  let number = 0;
  for (let next = 1; next <= number + 1 + MOST_MISSING; next += 1) {
    if (number >= MOST_RUNS) {
      throw new PlumblineError('ERR_RUN_EXISTS', `${key} has ${MOST_RUNS} runs already: no further one is started`);
    }
    const found = await find(numberedId(key, next));
    if (found === undefined) continue;
    newest = found;
    number = next;
  }
  return { newest, number };
}
