import type { JsonValue } from '#core/json.ts';
import type { AuditEvent } from './audit-log.ts';

/** What credentials look like. Each is specific enough that no module, task, ref or subject has its shape by chance. */
const CREDENTIALS: readonly (readonly [string, RegExp])[] = [
  // Bounded: a name of a run is no longer, and text of `plr_` alone must not be read again from each of them.
  ['a run token', /plr_[\w-]{8,64}\.\d{6,}(?:\.[\w-]*)?/],
  ['a worker token', /plw_[0-9a-f-]{36}\.\d{1,9}(?:\.[\w-]*)?/],
  ['a password for luigid', /pls_[\w-]{43}/],
  ['a private key', /-----BEGIN [A-Z ]*PRIVATE KEY/],
  ['an authorization header', /\b(?:bearer|basic)\s+[\w+/=.~-]{16,}/i],
  ['a GitHub token', /\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,})/],
  ['a GitLab token', /\bgl(?:pat|cbt|ptt|dt|rt|ft|soat)-[\w-]{16,}/],
  ['a signature of a storage account', /[?&]sig=[\w%+/=]{16,}/i],
];

/** What stands between characters that no token has. A text is cut once, so that looking through it takes time with its length. */
const WORD = /[\w.-]+/g;
/**
 * How a JWT or JWE begins: base64url of `{"…`, of `{ …` or of `{` and a line break; further parts follow behind dots. At the
 * beginning of a word, because `MoneyJournal.Transactions` holds `eyJ` too.
 */
const JWT_BEGIN = /(?<![A-Za-z0-9])(?:ey[AIJ]|ewog|ew0K)[\w-]{8,}/;
const SHORTEST_PART = 8;

const ANY_CREDENTIAL = new RegExp(CREDENTIALS.map(([, { source }]) => `(?:${source})`).join('|'), 'gi');

/** Names without case and punctuation. There is no honest use for them in a record. */
const FORBIDDEN_NAMES: ReadonlySet<string> = new Set([
  'accesskey',
  'accesstoken',
  'apikey',
  'assertion',
  'authorization',
  'bearer',
  'clientassertion',
  'clientsecret',
  'connectionstring',
  'cookie',
  'credential',
  'credentials',
  'idtoken',
  'jwt',
  'parameters',
  'passphrase',
  'password',
  'passwd',
  'privatekey',
  'refreshtoken',
  'runtoken',
  'secret',
  'secretvalue',
  'setcookie',
  'token',
]);

/**
 * Refuses an event that holds a credential or a field that is made to hold one: that is a mistake of ours, and the log is
 * the one place where it could never be taken back. The message names where, never what.
 *
 * @throws {TypeError}
 */
export function refuseCredentials({ type, subject, data }: AuditEvent): void {
  inspectText(subject ?? '', type, 'subject');
  inspect(data, type, 'data');
}

function inspect(value: unknown, type: string, path: string): void {
  if (typeof value === 'string') inspectText(value, type, path);
  if (typeof value !== 'object' || value === null) return;
  for (const [name, held] of Object.entries(value)) {
    // A name may be a credential too; then it must not be in the message.
    inspectText(name, type, `${path}, a field's name`);
    if (!Array.isArray(value)) inspectName(name, type, path);
    inspect(held, type, `${path}.${name}`);
  }
}

function inspectName(name: string, type: string, path: string): void {
  if (!FORBIDDEN_NAMES.has(name.toLowerCase().replace(/[^a-z0-9]/g, ''))) return;
  throw new TypeError(`The audit event ${type} is refused: ${path}.${name} is a field for a credential or a value`);
}

function inspectText(text: string, type: string, path: string): void {
  const found = CREDENTIALS.find(([, pattern]) => pattern.test(text))?.[0] ?? (hasJwt(text) ? 'a JWT' : undefined);
  if (found !== undefined) throw new TypeError(`The audit event ${type} is refused: ${path} looks like ${found}`);
}

function hasJwt(text: string): boolean {
  return text.match(WORD)?.some((word) => jwtAt(word) !== undefined) ?? false;
}

/** Where a JWT begins in a word; it goes on to the word's end. */
function jwtAt(word: string): number | undefined {
  let at = 0;
  const parts = word.split('.');
  for (const [i, part] of parts.entries()) {
    const isFollowed = (parts[i + 1]?.length ?? 0) >= SHORTEST_PART;
    const begin = isFollowed ? part.search(JWT_BEGIN) : -1;
    if (begin >= 0) return at + begin;
    at += part.length + 1;
  }
  return undefined;
}

/**
 * Text of a caller (a key, a module, a claim) with `[credential]` for whatever looks like one, so that a caller who puts a
 * token into the wrong field is recorded, and the token is not.
 */
export function redactCredentials(text: string): string {
  const withoutJwt = text.replace(WORD, (word) => {
    const at = jwtAt(word);
    return at === undefined ? word : `${word.slice(0, at)}[credential]`;
  });
  return withoutJwt.replace(ANY_CREDENTIAL, '[credential]');
}

/** Every text in it so; fields that are `undefined` are left out. */
export function redactJson(value: JsonValue | undefined): JsonValue | undefined {
  if (typeof value === 'string') return redactCredentials(value);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => redactJson(item) ?? null);
  const entries = Object.entries(value).filter(([, held]) => held !== undefined);
  return Object.fromEntries(entries.map(([field, held]) => [field, redactJson(held) ?? null]));
}
