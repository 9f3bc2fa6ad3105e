import type { JsonValue } from '#core/json.ts';
import { wellFormed } from '#core/well-formed.ts';
import { parseStrictObject } from '../auth/strict-json.ts';
import { Problem } from './problem.ts';

/**
 * A body that whoever looked at it on its way, the policy and Luigi read alike: an object as {@link parseStrictObject} has it,
 * with texts of whole characters and numbers that stay what was written.
 *
 * @throws {Problem} `body-malformed`, which never quotes it
 */
export function strictBody(bytes: Uint8Array): unknown {
  const body = parsed(bytes);
  checkValue(body);
  return body;
}

function parsed(bytes: Uint8Array): JsonValue {
  try {
    return parseStrictObject(bytes) as JsonValue;
  } catch (cause) {
    const why = 'The body is no JSON object of UTF-8 with each name once and at most 16 levels';
    throw new Problem('body-malformed', why, { cause });
  }
}

function checkValue(value: JsonValue): void {
  if (typeof value === 'string') checkText(value);
  else if (typeof value === 'number') checkNumber(value);
  else if (typeof value === 'object' && value !== null) {
    for (const [name, held] of Object.entries(value)) {
      checkText(name);
      checkValue(held);
    }
  }
}

function checkText(text: string): void {
  if (wellFormed(text) !== text)
    throw new Problem('body-malformed', 'The body has half a character (a lone surrogate)');
}

/** Read as the nearest one that there is, a run would be for another id than the caller wrote. */
function checkNumber(value: number): void {
  if (Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value))) return;
  throw new Problem('body-malformed', 'The body has a number that is not kept exactly: write it as text');
}
