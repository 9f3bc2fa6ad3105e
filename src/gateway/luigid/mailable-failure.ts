import type { JsonValue } from '#core/json.ts';

/** How Python writes half of a character, as it has them for bytes of file names. */
const HALF = /\\ud[89a-f]|[\ud800-\udfff]/i;
const SURROGATE = /[\ud800-\udfff]/;

/**
 * Makes a failure one that luigid can put into its mails (`batch_emails`): an explanation that is no text, or has half of a
 * character, would end the mail in which the failures of all roles are, and nobody got one.
 */
export function makeMailable(given: Record<string, JsonValue>): void {
  const { expl, params } = given;
  if (expl !== undefined && expl !== null) {
    if (given['status'] === 'FAILED') given['expl'] = asJsonText(expl);
    else if (typeof expl === 'string') given['expl'] = wellFormed(expl);
    // Of what could not even be scheduled.
    else if (given['task_name'] !== undefined) given['expl'] = JSON.stringify(expl);
  }
  if (given['task_name'] !== undefined) given['task_name'] = wellFormed(given['task_name']);
  if (params !== undefined && params !== null)
    given['params'] = withWholeTexts(params as Readonly<Record<string, JsonValue>>);
}

function withWholeTexts(params: Readonly<Record<string, JsonValue>>): JsonValue {
  const entries = Object.entries(params);
  if (!entries.flat().some((text) => typeof text === 'string' && SURROGATE.test(text))) return params;
  return Object.fromEntries(entries.map((entry) => entry.map(wellFormed)));
}

/** luigid decodes it: workers send it as JSON. */
function asJsonText(expl: JsonValue): string {
  if (typeof expl !== 'string') return JSON.stringify(JSON.stringify(expl));
  if (expl.startsWith('"') && !HALF.test(expl)) return expl;
  return JSON.stringify(wellFormed(decoded(expl)));
}

function decoded(expl: string): string {
  try {
    const value: unknown = JSON.parse(expl);
    return typeof value === 'string' ? value : expl;
  } catch {
    return expl;
  }
}

/** With a sign in the place of what is no character. */
function wellFormed(value: JsonValue): JsonValue {
  return typeof value === 'string' && SURROGATE.test(value) ? Buffer.from(value).toString() : value;
}
