/** States in which a run stays by itself. Any other word, also one that no version known here has, means that it goes on. */
const TERMINAL: ReadonlySet<string> = new Set(['success', 'failed']);

export function isTerminal(state: string): boolean {
  return TERMINAL.has(state);
}
