import type { JsonValue } from '#core/json.ts';
import { redactCredentials } from '../audit/redaction-guard.ts';

/** Arguments in which tasks say what they like: why one failed, how far it is, where more can be seen, what it answers. */
const FREE_TEXTS = ['expl', 'status_message', 'tracking_url', 'content', 'response'] as const;

/** Base64 of a signed token, wherever in the encoded text it begins, and of what this gateway hands out. A name by chance is shorter. */
const ENCODED = /(?:(?:ZXlK|V5SmhiR2NpT2|leUpoYkdjaU9p)[A-Za-z0-9]{60,}|cGx(?:yX|3X|zX)[\w+/-]{50,})={0,2}/g;

/** What a task shows of its credentials goes no further: luigid shows it to everybody who sees the task, and writes it to its state file. */
export function hideCredentials(given: Record<string, JsonValue>): void {
  for (const name of FREE_TEXTS) {
    const text = given[name];
    if (typeof text === 'string') given[name] = redactCredentials(text).replace(ENCODED, '[credential]');
  }
}
