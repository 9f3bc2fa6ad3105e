import type { JsonValue } from '#core/json.ts';
import { redactCredentials } from '../audit/redaction-guard.ts';

/** Arguments in which tasks say what they like: why one failed, how far it is, where more can be seen, what it answers. */
const FREE_TEXTS = ['expl', 'status_message', 'tracking_url', 'content', 'response'] as const;

/** Base64 of a signed token, wherever in the encoded text it begins, and of what this gateway hands out. A name by chance is shorter. */
const ENCODED = /(?:(?:ZXlK|V5SmhiR2NpT2|leUpoYkdjaU9p)[A-Za-z0-9]{60,}|cGx(?:yX|3X|zX)[\w+/-]{50,})={0,2}/g;

/** What a task shows of its credentials goes no further: luigid shows it to everybody who sees the task, and writes it to its state file. */
export function hideCredentials(given: Record<string, JsonValue>): void {
  for (const name of FREE_TEXTS) {
    const said = given[name];
    if (said !== undefined) given[name] = withoutCredentials(said);
  }
}

/** An answer of a task may be anything. */
function withoutCredentials(said: JsonValue): JsonValue {
  if (typeof said === 'string') return hidden(said);
  if (Array.isArray(said)) return said.map(withoutCredentials);
  if (typeof said !== 'object' || said === null) return said;
  const entries = Object.entries(said).map(([name, held]) => [hidden(name), withoutCredentials(held)] as const);
  return Object.fromEntries(entries);
}

function hidden(text: string): string {
  return redactCredentials(text).replace(ENCODED, '[credential]');
}
