import { createHash, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';

/**
 * A signed note of C2SP (https://c2sp.org/signed-note): text, an empty line, and a line for each signature. Any tool that reads
 * such notes can check it with the verifier key.
 */
export interface SignedNote {
  /** With its last newline. */
  readonly text: string;
  readonly keyName: string;
  /** Eight hexadecimal digits. */
  readonly keyId: string;
  readonly signature: Buffer;
}

/** A public key of C2SP: `<name>+<id>+<base64 of 0x01 and 32 bytes>`. */
export interface VerifierKey {
  readonly name: string;
  readonly id: string;
  readonly publicKey: KeyObject;
}

/** The signature type of Ed25519 in signed notes. */
const ED25519 = Buffer.of(1);
/** What stands before the 32 bytes of an Ed25519 key in SPKI (RFC 8410 §4). */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/** A name holds neither white space nor `+`. */
export function isKeyName(name: string): boolean {
  return /^[^\s+\p{Cc}]+$/u.test(name);
}

export function signNote(text: string, keyName: string, privateKey: KeyObject): string {
  const keyId = keyIdOf(keyName, rawPublicKey(createPublicKey(privateKey)));
  return formatNote({ text, keyName, keyId, signature: sign(null, Buffer.from(text), privateKey) });
}

export function formatNote({ text, keyName, keyId, signature }: SignedNote): string {
  const bytes = Buffer.concat([Buffer.from(keyId, 'hex'), signature]);
  return `${text}\n\u2014 ${keyName} ${bytes.toString('base64')}\n`;
}

/** The note, or `undefined` when these are not exactly the bytes of one with one signature. */
export function parseNote(note: string): SignedNote | undefined {
  const [, text, keyName, encoded] = /^([\s\S]*?\n)\n\u2014 (\S+) (\S+)\n$/.exec(note) ?? [];
  if (text === undefined || keyName === undefined || encoded === undefined) return undefined;
  const bytes = Buffer.from(encoded, 'base64');
  const parsed = { text, keyName, keyId: bytes.toString('hex', 0, 4), signature: bytes.subarray(4) };
  // base64 is lenient: other characters can mean the same bytes.
  return formatNote(parsed) === note ? parsed : undefined;
}

/** Whether one of the keys signed it. */
export function isSignedBy(note: SignedNote, keys: readonly VerifierKey[]): boolean {
  const key = keys.find(({ name, id }) => name === note.keyName && id === note.keyId);
  return key !== undefined && verify(null, Buffer.from(note.text), key.publicKey, note.signature);
}

export function formatVerifierKey(name: string, publicKey: KeyObject): string {
  const raw = rawPublicKey(publicKey);
  return `${name}+${keyIdOf(name, raw)}+${Buffer.concat([ED25519, raw]).toString('base64')}`;
}

/** @throws {TypeError} when the text is no verifier key of Ed25519, or its id is not that of its name and bytes */
export function parseVerifierKey(text: string): VerifierKey {
  const [, name, id, encoded] = /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text.trim()) ?? [];
  if (name === undefined || id === undefined || encoded === undefined)
    throw new TypeError(`not a verifier key: ${text}`);
  const bytes = Buffer.from(encoded, 'base64');
  const raw = bytes.subarray(1);
  if (bytes[0] !== ED25519[0] || raw.length !== 32) throw new TypeError(`not a verifier key of Ed25519: ${text}`);
  if (keyIdOf(name, raw) !== id) throw new TypeError(`the id of the verifier key is wrong: ${text}`);
  const publicKey = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, raw]), format: 'der', type: 'spki' });
  return { name, id, publicKey };
}

function rawPublicKey(publicKey: KeyObject): Buffer {
  return publicKey.export({ format: 'der', type: 'spki' }).subarray(SPKI_PREFIX.length);
}

function keyIdOf(name: string, raw: Uint8Array): string {
  const bytes = createHash('sha256').update(`${name}\n`).update(ED25519).update(raw).digest();
  return bytes.toString('hex', 0, 4);
}
