import type { JsonValue } from '#core/json.ts';

/** Arguments in which tasks say what they like: why one failed, how far it is, where more can be seen, what it answers. */
const FREE_TEXTS = ['expl', 'status_message', 'tracking_url', 'content', 'response'] as const;

/**
 * Signed tokens of whoever, tokens and passwords of this gateway; each also in base64, as far as its beginning is the beginning of the
 * encoded text. A name by chance is shorter.
 */
const CREDENTIAL = new RegExp(
  [
    /eyJ[\w-]{13,}\.[\w-]{16,}\.[\w-]{16,}/,
    /(?:ZXlK|V5SmhiR2NpT2|leUpoYkdjaU9p)[A-Za-z0-9]{60,}={0,2}/,
    /pl[rw]_[0-9a-f]{8}-[\w.-]{40,}/,
    /pls_[\w-]{40,}/,
    /cGx(?:yX|3X|zX)[\w+/-]{50,}={0,2}/,
  ]
    .map(({ source }) => source)
    .join('|'),
  'g',
);
const MASK = '***';

/** What a task shows of its credentials goes no further: luigid shows it to everybody who sees the task, and writes it to its state file. */
export function hideCredentials(given: Record<string, JsonValue>): void {
  for (const name of FREE_TEXTS) {
    const text = given[name];
    if (typeof text === 'string') given[name] = text.replace(CREDENTIAL, MASK);
  }
}
