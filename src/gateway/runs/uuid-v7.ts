import { randomBytes } from 'node:crypto';

/** Counts ids of one millisecond (RFC 9562 §6.2, method 1): 12 bits behind the time. */
const MOST_IN_A_MILLISECOND = 0xfff;

/**
 * Makes UUIDs of version 7 that never go back: text order is the order of making, within one process also when its clock
 * is set back.
 */
export function uuidV7(now: () => number = Date.now): () => string {
  let last = 0;
  let counter = 0;
  return () => {
    const time = Math.max(now(), last);
    counter = time === last ? counter + 1 : 0;
    last = counter > MOST_IN_A_MILLISECOND ? time + 1 : time;
    if (counter > MOST_IN_A_MILLISECOND) counter = 0;
    const stamp = last.toString(16).padStart(12, '0');
    const random = randomBytes(8);
    random[0] = ((random[0] as number) & 0x3f) | 0x80;
    const tail = random.toString('hex');
    const place = (0x7000 | counter).toString(16);
    return `${stamp.slice(0, 8)}-${stamp.slice(8)}-${place}-${tail.slice(0, 4)}-${tail.slice(4)}`;
  };
}
