import { hash } from 'node:crypto';
import { type JsonObject, parseStrictObject } from './strict-json.ts';
import { refused } from './token-refused.ts';

/** A token that was taken apart and not verified: nothing in it may be believed. */
export interface CompactToken {
  readonly text: string;
  readonly header: TokenHeader;
  readonly payload: JsonObject;
}

export interface TokenHeader {
  readonly alg: string;
  readonly kid: string;
  /** In lower case. */
  readonly typ: string | undefined;
}

const LARGEST_TOKEN = 16 * 1024;
const LARGEST_HEADER = 1024;
const LONGEST_PARAMETER = 255;
const FORM = /^([\w-]+)\.([\w-]+)\.([\w-]+)$/;
const PARAMETERS: ReadonlySet<string> = new Set(['alg', 'kid', 'typ', 'x5t', 'x5t#S256', 'nonce']);
const PRINTABLE = /^[\x21-\x7e]+$/;

/**
 * Takes a JWS in compact form apart, as RFC 7515 §5.2 and RFC 8725 §3 ask and stricter: everything that a token may be
 * without being read, so that no two readers can understand it differently.
 *
 * The header may hold `alg`, `kid` (both required), `typ`, `x5t`, `x5t#S256` and `nonce`, each a short printable text: no
 * `jku`, `jwk`, `x5c`, `crit`, `b64`, `zip`.
 *
 * @throws {PlumblineError} `ERR_TOKEN_MALFORMED` with the reasons `size`, `form`, `encoding`, `json`, `duplicate-key`,
 *   `depth` or `header`.
 */
export function readCompactToken(text: string): CompactToken {
  checkSize(text);
  const [, header = '', payload = '', signature = ''] = FORM.exec(text) ?? [];
  if (header === '') throw refused('form');
  bytesOf(signature);
  const headerBytes = bytesOf(header);
  if (headerBytes.length > LARGEST_HEADER) throw refused('size', { field: 'header' });
  return { text, header: readHeader(parseStrictObject(headerBytes)), payload: parseStrictObject(bytesOf(payload)) };
}

/** Before anything else is done with a text. @throws {PlumblineError} `ERR_TOKEN_MALFORMED`: `size` or `form`. */
export function checkSize(text: string): void {
  if (typeof text !== 'string' || text.length === 0) throw refused('form');
  if (text.length > LARGEST_TOKEN) throw refused('size');
}

/** SHA-256 of the compact token, hexadecimal. */
export function tokenHash(text: string): string {
  return hash('sha256', text);
}

/**
 * Names the token where its issuer does not. Of what is signed and not of the signature: whoever has one ECDSA signature can
 * make a second one for the same token.
 */
export function signedPartHash(text: string): string {
  return `sha256:${hash('sha256', text.slice(0, text.lastIndexOf('.')))}`;
}

/** Only the one way to write these bytes: no padding, and no bits in the last character that no byte holds. */
function bytesOf(part: string): Buffer {
  const bytes = Buffer.from(part, 'base64url');
  if (bytes.toString('base64url') !== part) throw refused('encoding');
  return bytes;
}

function readHeader(header: JsonObject): TokenHeader {
  for (const [name, value] of Object.entries(header)) {
    if (!PARAMETERS.has(name)) throw refused('header', PUBLIC_NAMES.has(name) ? { field: name } : {});
    if (!isShortText(value)) throw refused('header', { field: name });
  }
  const { alg, kid, typ } = header as Readonly<Record<string, string | undefined>>;
  if (alg === undefined) throw refused('header', { field: 'alg' });
  if (kid === undefined) throw refused('header', { field: 'kid' });
  return { alg, kid, typ: typ?.toLowerCase() };
}

/** Names that an error may repeat; any other name is text of whoever wrote the token. */
const PUBLIC_NAMES: ReadonlySet<string> = new Set(['jku', 'jwk', 'x5u', 'x5c', 'crit', 'b64', 'cty', 'zip', 'enc']);

function isShortText(value: unknown): boolean {
  return typeof value === 'string' && value.length <= LONGEST_PARAMETER && PRINTABLE.test(value);
}
