import { PlumblineError } from '#core/errors.ts';

/** Primary result codes of SQLite (https://sqlite.org/rescode.html) that are about the file and not about the query. */
const REASONS: Readonly<Record<number, string>> = {
  3: 'permission',
  5: 'locked',
  6: 'locked',
  8: 'read-only',
  10: 'disk',
  11: 'damaged',
  13: 'full',
  14: 'missing',
  15: 'locked',
  23: 'permission',
  26: 'damaged',
};

const WORDS: Readonly<Record<string, string>> = {
  permission: 'it may not be opened',
  locked: 'another program holds a lock on it',
  'read-only': 'it cannot be written',
  disk: 'the disk failed',
  damaged: 'the file is damaged',
  full: 'the disk is full',
  missing: 'the file cannot be opened',
};

const REMEDIES: Readonly<Record<string, string>> = {
  locked: 'End the other program; the gateway goes on by itself.',
  full: 'Free space on the disk; the gateway goes on by itself.',
  damaged: 'Stop the gateway, restore a backup of the store and start it again.',
};

export function isStoreTrouble(thrown: unknown): boolean {
  return reasonOf(thrown) !== undefined;
}

/** The connection is of no use after it: the file has to be opened anew. */
export function isDamaged(thrown: unknown): boolean {
  return ['damaged', 'disk', 'missing', 'read-only', 'permission'].includes(reasonOf(thrown) ?? '');
}

export function storeUnavailable(file: string, cause: unknown): PlumblineError {
  const reason = reasonOf(cause) ?? 'disk';
  return new PlumblineError('ERR_STORE_UNAVAILABLE', `Cannot use the store ${file}: ${WORDS[reason]}`, {
    remedy: REMEDIES[reason] ?? 'Check the disk and the permissions of the state directory.',
    details: { reason },
    cause,
  });
}

export function isLocked(thrown: unknown): boolean {
  if (thrown instanceof PlumblineError) return thrown.details['reason'] === 'locked';
  return reasonOf(thrown) === 'locked';
}

function reasonOf(thrown: unknown): string | undefined {
  const code = (thrown as { errcode?: unknown } | undefined)?.errcode;
  return typeof code === 'number' ? REASONS[code & 0xff] : undefined;
}
