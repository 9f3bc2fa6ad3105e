import type { JsonValue } from '#core/json.ts';
import type { ArgumentKind } from './luigid-methods.ts';

/** Longest id of a task, family or worker. */
const LONGEST_NAME = 1_024;
/** On one line and of characters only; Luigi's own ids of workers have spaces, and a namespace may. */
const NAME = /^[^\p{C}\p{Zl}\p{Zp}]+$/u;
/** luigid writes down every task anew for each word that is sought, and answers nobody else meanwhile. */
const MOST_WORDS = 8;
const STATUSES = new Set([
  '',
  'PENDING',
  'RUNNING',
  'BATCH_RUNNING',
  'DONE',
  'FAILED',
  'DISABLED',
  'SUSPENDED',
  'UNKNOWN',
  'UPSTREAM_RUNNING',
  'UPSTREAM_MISSING_INPUT',
  'UPSTREAM_FAILED',
  'UPSTREAM_DISABLED',
]);
const RETRIES = new Set(['retry_count', 'disable_hard_timeout', 'disable_window']);
/** What Luigi tells of a worker. Any other name would become a field of luigid's own list of workers, or end that list. */
const INFO: Readonly<Record<string, (value: JsonValue) => boolean>> = {
  salt: isText,
  workers: isCount,
  host: isText,
  username: isText,
  pid: isCount,
  sudo_user: isText,
  first_task: isNameOrNull,
};

/** Whether a value is what an argument of this kind can be. Types are what keeps one caller from breaking luigid for all. */
export const ARGUMENT_CHECKS: Readonly<Record<ArgumentKind, (value: JsonValue) => boolean>> = {
  worker: isName,
  task: isName,
  tasks: (value) => Array.isArray(value) && value.every(isName),
  family: (value) => value === '' || isName(value),
  text: isText,
  words: (value) => typeof value === 'string' && value.length <= LONGEST_NAME && wordsOf(value).length <= MOST_WORDS,
  texts: (value) => Array.isArray(value) && value.every(isText),
  flag: (value) => typeof value === 'boolean',
  number: (value) => typeof value === 'number',
  count: isCount,
  name: isName,
  status: (value) => typeof value === 'string' && STATUSES.has(value),
  url: isText,
  amounts: (value) => isMap(value, (amount) => typeof amount === 'number' && amount >= 0),
  parameters: (value) => isMap(value, isParameter),
  visibilities: (value) => isMap(value, (one) => one === 0 || one === 1 || one === 2),
  retries: (value) =>
    isMap(value, (one) => one === null || typeof one === 'number') &&
    Object.keys(value as object).every((name) => RETRIES.has(name)),
  info: (value) => infoOf(value).every(([name, held]) => typeof name === 'string' && INFO[name]?.(held) === true),
  json: () => true,
};

/** What a worker tells of itself, whether as pairs or as an object. Anything else has one pair that is never right. */
export function infoOf(value: JsonValue): readonly (readonly [JsonValue, JsonValue])[] {
  if (Array.isArray(value))
    return value.map((pair) => (Array.isArray(pair) && pair.length === 2 ? [pair[0] ?? null, pair[1] ?? null] : WRONG));
  return typeof value === 'object' && value !== null ? Object.entries(value) : [WRONG];
}

const WRONG = [null, null] as const;

/** As Python and as JavaScript split. */
function wordsOf(text: string): readonly string[] {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: Python counts them as white space
  return text.split(/[\s\x1c-\x1f\x85]+/).filter((word) => word !== '');
}

function isName(value: JsonValue): boolean {
  return typeof value === 'string' && value.length <= LONGEST_NAME && NAME.test(value);
}

function isNameOrNull(value: JsonValue): boolean {
  return value === null || isName(value);
}

function isText(value: JsonValue): boolean {
  return typeof value === 'string';
}

function isCount(value: JsonValue): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/** As a parameter writes itself; a batch has lists of them. */
function isParameter(value: JsonValue): boolean {
  if (Array.isArray(value)) return value.every((one) => typeof one !== 'object' || one === null);
  return typeof value !== 'object' || value === null;
}

function isMap(value: JsonValue, holds: (held: JsonValue) => boolean): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  for (const held of Object.values(value)) if (!holds(held)) return false;
  return true;
}
