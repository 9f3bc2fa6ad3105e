import type { Clock } from '#core/clock.ts';

const MINUTE = 60_000;

/** Acts after so many minutes unless it is called off before; 0 means never. Returns what calls it off. */
export function alarm(clock: Clock, minutes: number, act: () => void): () => void {
  const off = new AbortController();
  // The only rejection is that it was called off.
  if (minutes > 0) clock.sleep(minutes * MINUTE, off.signal).then(act, () => undefined);
  return () => off.abort();
}
