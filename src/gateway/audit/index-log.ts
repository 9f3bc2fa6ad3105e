import { promises } from 'node:fs';
import { join } from 'node:path';
import type { AuditIndex, AuditIndexEntry } from './audit-index.ts';
import { type AuditRecord, hashOf, parseRecord } from './audit-record.ts';
import { auditUnavailable, systemReason } from './audit-unavailable.ts';
import { type LogFile, listLogFiles } from './log-files.ts';
import { type LogLine, logLines } from './log-lines.ts';

/**
 * Makes the index anew from the files.
 * @returns how many records it holds now
 * @throws {PlumblineError} `ERR_AUDIT_UNAVAILABLE` when the files cannot be read, or what the store throws
 */
export async function rebuildIndex(settings: { directory: string; index: AuditIndex }): Promise<number> {
  await settings.index.clear();
  return catchUpIndex(settings);
}

/** Adds what the files have and the index has not. Lines that are no record are left to `verifyAudit`. */
export async function catchUpIndex({ directory, index }: { directory: string; index: AuditIndex }): Promise<number> {
  const newest = await index.newest();
  let added = 0;
  for (const { name } of await filesBehind(directory, newest)) {
    for await (const lines of logLines(join(directory, name))) {
      const entries = lines.map((line) => entryOf(line, name)).filter((entry) => entry !== undefined);
      const fresh = entries.filter(({ sequence }) => sequence > newest);
      await index.add(fresh);
      added += fresh.length;
    }
  }
  return added;
}

async function filesBehind(directory: string, newest: number): Promise<LogFile[]> {
  const { files } = await listLogFiles(directory).catch((thrown) => {
    throw auditUnavailable(`The audit log in ${directory} cannot be read`, systemReason(thrown), thrown);
  });
  const next = files.findIndex(({ firstSequence }) => firstSequence > newest + 1);
  return files.slice(next < 0 ? Math.max(0, files.length - 1) : Math.max(0, next - 1));
}

function entryOf({ bytes, offset, whole, tooLong }: LogLine, file: string): AuditIndexEntry | undefined {
  const parsed = whole && !tooLong ? parseRecord(bytes.toString('utf8')) : undefined;
  if (!parsed) return undefined;
  const { time, type, subject } = parsed.record;
  const place = { file, offset, bytes: bytes.length, hash: hashOf(bytes) };
  return { sequence: parsed.sequence, time: Date.parse(time), type, subject, ...place };
}

/**
 * The record of an entry, from the files.
 * @throws {PlumblineError} `ERR_AUDIT_UNAVAILABLE` when it is not there any more or is another one
 */
export async function readIndexedRecord(directory: string, entry: AuditIndexEntry): Promise<AuditRecord> {
  const failed = `Record ${entry.sequence} of the audit log in ${directory} cannot be read`;
  const line = await readBytes(join(directory, entry.file), entry).catch((thrown) => {
    throw auditUnavailable(failed, systemReason(thrown), thrown);
  });
  const parsed = hashOf(line) === entry.hash ? parseRecord(line.toString('utf8')) : undefined;
  if (!parsed) throw auditUnavailable(failed, 'the file holds something else in its place');
  return parsed.record;
}

async function readBytes(path: string, { offset, bytes }: AuditIndexEntry): Promise<Buffer> {
  const handle = await promises.open(path, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(bytes), 0, bytes, offset);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}
