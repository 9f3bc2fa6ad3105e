import { formatSequence } from './audit-record.ts';
import { parseNote, type SignedNote } from './signed-note.ts';

/** What a signature vouches for: the log had this record at this time, and with it, by the chain, everything before it. */
export interface Checkpoint {
  readonly origin: string;
  readonly sequence: number;
  /** SHA-256 of the record's line, hexadecimal. */
  readonly hash: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** What the third line is: the head of a chain, not the root of a Merkle tree. */
const SCHEME = 'chain sha256';

/**
 * The text that is signed, in the form of a C2SP checkpoint (https://c2sp.org/tlog-checkpoint): origin, size, base64 of the
 * hash, and two extension lines.
 */
export function checkpointText({ origin, sequence, hash, at }: Checkpoint): string {
  const root = Buffer.from(hash, 'hex').toString('base64');
  return `${origin}\n${sequence}\n${root}\n${SCHEME}\ntime ${new Date(at).toISOString()}\n`;
}

export interface ReadCheckpoint extends Checkpoint {
  readonly note: SignedNote;
}

/** The checkpoint of a note, or `undefined` when these are not exactly the bytes of one. It says nothing about who signed. */
export function parseCheckpoint(text: string): ReadCheckpoint | undefined {
  const note = parseNote(text);
  const [origin = '', sequence, root = '', , time = ''] = note?.text.split('\n') ?? [];
  const at = Date.parse(time.slice('time '.length));
  if (!note || origin !== note.keyName || Number.isNaN(at)) return undefined;
  const read = { origin, sequence: Number(sequence), hash: Buffer.from(root, 'base64').toString('hex'), at };
  return checkpointText(read) === note.text ? { ...read, note } : undefined;
}

/** Relative to a folder of checkpoints: a folder a day, e.g. `2026-11-21/0000000000000123.note`. */
export function checkpointPath({ sequence, at }: Pick<Checkpoint, 'sequence' | 'at'>): string {
  return `${new Date(at).toISOString().slice(0, 10)}/${formatSequence(sequence)}.note`;
}

export const CHECKPOINT_NAME = /^\d{16}\.note$/;
