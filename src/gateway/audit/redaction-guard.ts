import type { AuditEvent } from './audit-log.ts';

/** What credentials look like. Each is specific enough that no module, task, ref or subject has its shape by chance. */
const CREDENTIALS: readonly (readonly [string, RegExp])[] = [
  // A JWT or JWE: base64url of `{"…`, of `{ …` or of `{` and a line break, and further parts behind dots. At the beginning of
  // a word, because `MoneyJournal.Transactions` holds `eyJ` too.
  ['a JWT', /(?<![A-Za-z0-9])(?:ey[AIJ]|ewog|ew0K)[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)*/],
  ['a run token', /plr_[\w-]{8,}\.\d{6,}(?:\.[\w-]*)?/],
  ['a private key', /-----BEGIN [A-Z ]*PRIVATE KEY/],
  ['an authorization header', /\b(?:bearer|basic)\s+[\w+/=.~-]{16,}/i],
  ['a GitHub token', /\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,})/],
  ['a GitLab token', /\bgl(?:pat|cbt|ptt|dt|rt|ft|soat)-[\w-]{16,}/],
  ['a signature of a storage account', /[?&]sig=[\w%+/=]{16,}/i],
];

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
  const found = CREDENTIALS.find(([, pattern]) => pattern.test(text));
  if (found) throw new TypeError(`The audit event ${type} is refused: ${path} looks like ${found[0]}`);
}

/**
 * Text of a caller (a key, a module, a claim) with `[credential]` for whatever looks like one, so that a caller who puts a
 * token into the wrong field is recorded, and the token is not.
 */
export function redactCredentials(text: string): string {
  return text.replace(ANY_CREDENTIAL, '[credential]');
}
