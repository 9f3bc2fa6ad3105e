import { PlumblineError } from '#core/errors.ts';

/** @param failed e.g. `The audit log in /var/lib/plumbline/audit cannot be written` */
export function auditUnavailable(failed: string, why: string, cause?: unknown): PlumblineError {
  return new PlumblineError('ERR_AUDIT_UNAVAILABLE', `${failed}: ${why}`, {
    cause,
    remedy: 'Mend what the message names; the gateway goes on by itself. Nothing was done that is not on record.',
  });
}

const WORDS: Readonly<Record<string, string>> = {
  ENOSPC: 'there is no space left on the disk',
  EDQUOT: 'the quota of the disk is used up',
  EFBIG: 'the limit of file sizes is reached',
  EIO: 'the disk failed',
  EROFS: 'the file system is read-only',
  EACCES: 'permission is denied',
  EPERM: 'permission is denied',
  ENOENT: 'it is not there',
  EMFILE: 'too many files are open',
  ENFILE: 'too many files are open',
};

/** In words, with the system's own code. */
export function systemReason(thrown: unknown): string {
  const { code, message } = thrown as NodeJS.ErrnoException;
  if (code === undefined) return message ?? String(thrown);
  return WORDS[code] === undefined ? message : `${WORDS[code]} (${code})`;
}
