import { createHash } from 'node:crypto';

const INSTANT = /^(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/;

/**
 * The run id that OpenLineage clients give to a known thing: UUIDv7 whose time is `instant` and whose random part is the
 * SHA-1 of the instant and `data`, so that everybody who knows both computes the same id.
 *
 * Rule: `generate_static_uuid` of OpenLineage's Python client 1.52; Airflow's provider makes its run ids with it.
 *
 * @param instant ISO 8601 with an offset; digits beyond microseconds are ignored
 * @throws {TypeError} when `instant` is none
 */
export function staticUuid(instant: string, data: string): string {
  const { text, ms } = readInstant(instant);
  const digest = createHash('sha1')
    .update(text + data, 'utf8')
    .digest('hex');
  const time = ms.toString(16).padStart(12, '0');
  const variant = ((Number.parseInt(digest.charAt(3), 16) & 0b0011) | 0b1000).toString(16);
  return [
    time.slice(0, 8),
    time.slice(8),
    `7${digest.slice(0, 3)}`,
    variant + digest.slice(4, 7),
    digest.slice(7, 19),
  ].join('-');
}

/** The instant as Python's `isoformat()` prints it in UTC: microseconds only when there are any. */
function readInstant(instant: string): { readonly text: string; readonly ms: number } {
  const [, seconds, fraction = '', offset] = INSTANT.exec(instant) ?? [];
  const whole = Date.parse(`${seconds?.replace(' ', 'T')}${offset}`);
  if (Number.isNaN(whole) || whole < 0) {
    throw new TypeError(`staticUuid needs an ISO 8601 instant since 1970 with an offset, got '${instant}'`);
  }
  const micros = fraction.padEnd(6, '0').slice(0, 6);
  const text = `${new Date(whole).toISOString().slice(0, 19)}${Number(micros) > 0 ? `.${micros}` : ''}+00:00`;
  // Python goes through seconds as a float, int(timestamp() * 1000), which now and then loses a millisecond.
  return { text, ms: Math.trunc(((whole * 1000 + Number(micros)) / 1e6) * 1000) };
}
