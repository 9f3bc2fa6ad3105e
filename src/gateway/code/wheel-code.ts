import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { PlumblineError } from '#core/errors.ts';
import type { CodeSource } from '../policy/role.ts';
import type { ArchiveLimits } from './archive-member.ts';
import { readZip } from './read-zip.ts';
import { unpack } from './unpack.ts';

type Wheel = Extract<CodeSource, { kind: 'wheel' }>;

const LARGEST = 256 * 1024 * 1024;

/**
 * Unpacks a wheel whose bytes have the pinned SHA-256: those bytes, whatever becomes of the file meanwhile.
 * @throws {PlumblineError} `ERR_CODE_NOT_FOUND`, `ERR_CODE_REFUSED`
 */
export async function unpackWheel({ file, sha256 }: Wheel, folder: string, limits: ArchiveLimits): Promise<void> {
  const bytes = await readWheel(file);
  const actual = createHash('sha256').update(bytes).digest('hex');
  if (actual !== sha256) throw refused(file, `it has the SHA-256 ${actual}, and the role pins ${sha256}`);
  await unpack(readZip(bytes), folder, limits);
}

/** `name-version-…`, PEP 427. */
export function wheelVersion({ file }: Wheel): string | undefined {
  return basename(file).split('-')[1];
}

async function readWheel(path: string): Promise<Buffer> {
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    throw new PlumblineError('ERR_CODE_NOT_FOUND', `The wheel ${path} cannot be read: ${error.code}`, {
      remedy: 'Put it where code.file of the role says.',
    });
  });
  try {
    const status = await file.stat();
    if (!status.isFile() || status.size > LARGEST) throw refused(path, `it is no file of at most ${LARGEST} bytes`);
    return await file.readFile();
  } finally {
    await file.close();
  }
}

function refused(path: string, why: string): PlumblineError {
  return new PlumblineError('ERR_CODE_REFUSED', `The wheel ${path} is not used: ${why}`, {
    remedy: 'Pin the digest of the wheel that is meant, or restore that wheel.',
  });
}
