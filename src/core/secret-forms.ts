import { neutralise } from './neutralise.ts';
import type { Secret } from './secret.ts';

/**
 * Lines and derived forms shorter than this are not masked by themselves: masking `{`, `},` or `on` would make a log
 * unreadable and hide nothing. A whole value is always masked, however short; then the agent's own rule holds
 * (`MASKED_SECRET_MIN_LENGTH`, at most 6, drops shorter ones).
 */
export const MINIMUM_PART_LENGTH = 4;

/** Line lengths at which tools break base64: `base64` 76, `openssl base64` and PEM 64. */
const BASE64_LINE_LENGTHS = [76, 64] as const;
const SHORTEST_BASE64 = 8;

/**
 * Every text under which a secret may turn up in a log: itself, each of its lines, and of all of these the base64, URL-
 * and JSON-escaped forms. No form contains a line break, because the agent masks line by line and refuses others.
 * Longest first, so that a masker that replaces in order leaves no remainder.
 */
export function secretForms(secret: Secret): readonly string[] {
  const value = secret.reveal();
  const lines = value.split(/\r\n|\r|\n/);
  const parts = lines.length === 1 ? [value] : [value, ...lines.filter(isLongEnough)];
  const plain = parts.flatMap((part) => [part, part.trim(), ...escapedForms(part)]);
  const derived = [...plain, ...parts.flatMap(base64Forms)];
  // What stands in the log after commands in it were neutralised, which happens before the agent masks.
  const forms = new Set([...derived, ...derived.map(neutralise)]);
  const whole = value.trim();
  const kept = [...forms].filter((form) => isOneLine(form) && (form.trim() === whole || isLongEnough(form)));
  return kept.sort((a, b) => b.length - a.length);
}

function isLongEnough(text: string): boolean {
  return text.trim().length >= MINIMUM_PART_LENGTH;
}

function isOneLine(text: string): boolean {
  return text !== '' && !/[\r\n]/.test(text);
}

function escapedForms(text: string): string[] {
  const json = JSON.stringify(text).slice(1, -1);
  const literals = [json.replaceAll('\\"', '"'), pythonText(text), pythonBytes(text)];
  return [
    json,
    json.replaceAll('/', '\\/'),
    asciiOnly(json),
    // A literal in single quotes escapes these; in double quotes, which repr() takes for a text with single ones, it does not.
    ...literals.flatMap((literal) => [literal, literal.replaceAll("'", "\\'")]),
    ...urlForms(wellFormed(text)),
    // The two ways to write a single quote between single quotes: Python's shlex.quote, and a trace of bash.
    text.replaceAll("'", `'"'"'`),
    text.replaceAll("'", "'\\''"),
  ];
}

/**
 * URL encoders differ in which signs they leave: JavaScript's leaves `!'()*`, Python's `quote` the slash, PHP's and Java's form
 * encoders escape the tilde; forms have a plus for a space; some write small hexadecimal digits.
 */
function urlForms(text: string): string[] {
  const component = encodeURIComponent(text);
  const strict = component.replace(/[!'()*]/g, percentEncoded);
  const whole = [component, strict, strict.replaceAll('~', '%7E')];
  const open = [...whole, ...whole.map((url) => url.replaceAll('%2F', '/')), encodeURI(text)];
  const all = [...open, ...open.map((url) => url.replaceAll('%20', '+'))];
  return [...all, ...all.map((url) => url.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()))];
}

function percentEncoded(sign: string): string {
  return `%${hex(sign.charCodeAt(0), 2).toUpperCase()}`;
}

const NAMED_ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };

/** As Python's repr() writes a text, without its quotes: what cannot be printed is escaped by its number. */
function pythonText(text: string): string {
  return text.replace(/\\|(?! )[\p{C}\p{Z}]/gu, (sign) => {
    const code = sign.codePointAt(0) ?? 0;
    const number = code > 0xffff ? `U${hex(code, 8)}` : code > 0xff ? `u${hex(code, 4)}` : `x${hex(code, 2)}`;
    return NAMED_ESCAPES[sign] ?? `\\${number}`;
  });
}

/** The same for the UTF-8 bytes of the text. */
function pythonBytes(text: string): string {
  const bytes = Buffer.from(text, 'utf8').toString('latin1');
  return bytes.replace(/[^\x20-\x5b\x5d-\x7e]/g, (byte) => NAMED_ESCAPES[byte] ?? `\\x${hex(byte.charCodeAt(0), 2)}`);
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, '0');
}

/** As JSON encoders write it that keep to ASCII, Python's `json.dumps` for one. */
function asciiOnly(json: string): string {
  return json.replace(/[\u007f-\uffff]/g, (unit) => `\\u${hex(unit.charCodeAt(0), 4)}`);
}

/** The URL encoders refuse a lone surrogate; UTF-8 has no bytes for it either. */
function wellFormed(text: string): string {
  return Buffer.from(text, 'utf8').toString('utf8');
}

/**
 * The part of the base64 text that does not depend on what stands before or after the secret, for the three positions at
 * which it can begin: that covers `base64(user:secret)` and `echo secret | base64` too.
 */
function base64Forms(text: string): string[] {
  const bytes = Buffer.from(text, 'utf8');
  const forms = [0, 1, 2]
    .map((offset) => embeddedBase64(bytes, offset))
    .filter((form) => form.length >= SHORTEST_BASE64);
  const whole = bytes.toString('base64');
  const wrapped = BASE64_LINE_LENGTHS.flatMap((length) => chunks(whole, length)).filter(isLongEnough);
  return [...forms, ...forms.map(urlSafe), ...wrapped, whole, urlSafe(whole)];
}

function embeddedBase64(bytes: Buffer, offset: number): string {
  const padded = Buffer.concat([Buffer.alloc(offset), bytes])
    .toString('base64')
    .replace(/=+$/, '');
  const ambiguousEnd = (offset + bytes.length) % 3 === 0 ? 0 : 1;
  return padded.slice(Math.ceil((offset * 8) / 6), padded.length - ambiguousEnd);
}

function chunks(text: string, length: number): string[] {
  if (text.length <= length) return [];
  return Array.from({ length: Math.ceil(text.length / length) }, (_, i) => text.slice(i * length, (i + 1) * length));
}

function urlSafe(base64: string): string {
  return base64.replaceAll('+', '-').replaceAll('/', '_');
}
