import type { JsonValue } from '#core/json.ts';
import type { JsonObject } from './strict-json.ts';
import { refused } from './token-refused.ts';

/** The claims that every token must have, as text of a good form. */
export interface StandardClaims {
  readonly iss: string;
  readonly sub: string;
  /** As a list, without doubles. */
  readonly audiences: readonly string[];
}

/** Entra allows 600 characters for issuer and subject together; others less. */
const LONGEST_SUBJECT = 600;
const LONGEST_ID = 255;
const LONGEST_TEXT = 1_024;
const MOST_AUDIENCES = 16;

/** Control characters, line ends, directions, byte order marks and invisible tags; half a surrogate pair. */
const UNCLEAN =
  /[\p{Cc}\p{Surrogate}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/u;
/** In what names somebody, no invisible character and no space but the plain one either. */
const UNCLEAN_ID = /[\p{Cc}\p{Cf}\p{Surrogate}\p{Co}\p{Cn}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u;

/** The claims that decide which issuer is asked. @throws {PlumblineError} `ERR_TOKEN_CLAIMS`: `claim` or `text`. */
export function issuerClaims(payload: JsonObject): Pick<StandardClaims, 'iss' | 'audiences'> {
  return { iss: identifier(payload['iss'], 'iss'), audiences: audiencesOf(payload['aud']) };
}

/**
 * What every claim of every token must be: `iss`, `aud` and `jti` texts of at most 255 characters, `sub` one of at most 600,
 * any other text at most 1,024, and no control or direction characters anywhere, names included.
 *
 * @throws {PlumblineError} `ERR_TOKEN_CLAIMS`: `claim` or `text`.
 */
export function checkClaimShape(payload: JsonObject): StandardClaims {
  if (payload['jti'] !== undefined) identifier(payload['jti'], 'jti');
  checkTexts(payload);
  return { ...issuerClaims(payload), sub: identifier(payload['sub'], 'sub', LONGEST_SUBJECT) };
}

/**
 * A text that names something: not empty, in Unicode's composed form, without invisible characters.
 *
 * @throws {PlumblineError} `ERR_TOKEN_CLAIMS`: `claim` when it is none, `text` when its characters or length are wrong.
 */
export function identifier(value: JsonValue | undefined, field: string, longest = LONGEST_ID): string {
  if (typeof value !== 'string' || value === '') throw refused('claim', { field });
  if (value.length > longest || UNCLEAN_ID.test(value) || value.normalize('NFC') !== value)
    throw refused('text', { field });
  return value;
}

function audiencesOf(aud: JsonValue | undefined): readonly string[] {
  const list = Array.isArray(aud) ? aud : [aud];
  if (list.length === 0 || list.length > MOST_AUDIENCES) throw refused('claim', { field: 'aud' });
  const texts = list.map((each) => identifier(each, 'aud'));
  if (new Set(texts).size !== texts.length) throw refused('claim', { field: 'aud' });
  return texts;
}

function checkTexts(value: JsonValue): void {
  if (typeof value === 'string') checkText(value);
  else if (typeof value === 'object' && value !== null) {
    for (const [name, inner] of Object.entries(value)) {
      checkText(name);
      checkTexts(inner);
    }
  }
}

function checkText(text: string): void {
  if (text.length > LONGEST_TEXT || UNCLEAN.test(text)) throw refused('text');
}
