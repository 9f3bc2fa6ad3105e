/** The longest time that a timer of Node takes; a longer one would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Calls back after `ms`, however long that is; gives what takes it back. */
export function atDeadline(ms: number, expired: () => void): () => void {
  let timer: NodeJS.Timeout;
  const arm = (left: number) => {
    timer = setTimeout(
      () => (left > LONGEST_TIMER_MS ? arm(left - LONGEST_TIMER_MS) : expired()),
      Math.min(left, LONGEST_TIMER_MS),
    );
  };
  arm(ms);
  return () => clearTimeout(timer);
}
