/** Part of something of `total` bytes; `end` is exclusive. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * RFC 9110 §14: `undefined` when there is no range to heed (none, several, or not understood: the whole is sent),
 * `unsatisfiable` when none of it is there.
 */
export function byteRange(header: string | undefined, total: number): ByteRange | 'unsatisfiable' | undefined {
  const [, first = '', last = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? '') ?? [];
  if (first === '') return last === '' ? undefined : ending(Number(last), total);
  const start = Number(first);
  const end = last === '' ? total : Number(last) + 1;
  if (end <= start && last !== '') return undefined;
  return start >= total ? 'unsatisfiable' : { start, end: Math.min(total, end) };
}

function ending(bytes: number, total: number): ByteRange | 'unsatisfiable' {
  return bytes === 0 || total === 0 ? 'unsatisfiable' : { start: Math.max(0, total - bytes), end: total };
}
