/** One measured figure beside its peer, as `npm run bench -- --json` prints it. */
export interface Figure {
  readonly bench: string;
  readonly metric: string;
  readonly ours: number;
  readonly peer: number;
  readonly ratio: number;
  readonly unit: string;
}

export function figure(bench: string, metric: string, ours: number, peer: number, unit: string): Figure {
  return { bench, metric, ours: rounded(ours), peer: rounded(peer), ratio: rounded(ours / peer), unit };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [low = Number.NaN, high = Number.NaN] = [sorted[Math.ceil(sorted.length / 2) - 1], sorted[middle]];
  return (low + high) / 2;
}

function rounded(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
