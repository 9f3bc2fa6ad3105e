import { promises } from 'node:fs';
import { dirname } from 'node:path';
import { type Clock, systemClock } from '#core/clock.ts';
import type { AuditIndex } from './audit-index.ts';
import type { AuditKeys } from './audit-keys.ts';
import type { AuditLog } from './audit-log.ts';
import { auditUnavailable, systemReason } from './audit-unavailable.ts';
import { type ChainStart, findChainStart } from './chain-start.ts';
import { ChainWriter } from './chain-writer.ts';
import { CheckpointExport } from './checkpoint-export.ts';
import { newestCheckpoint } from './checkpoint-files.ts';
import type { ReadCheckpoint } from './checkpoint-note.ts';
import { Checkpointer } from './checkpointer.ts';
import { indexFeed } from './index-feed.ts';
import { LogFileSet } from './log-file-set.ts';
import { type LogLock, lockLog } from './log-lock.ts';
import { type LogDisk, localDisk } from './log-segment.ts';
import { Outage } from './outage.ts';
import { parseVerifierKey } from './signed-note.ts';

export interface AuditLogSettings {
  /** `audit/` of the state directory; made with 0700 when it is not there. */
  readonly directory: string;
  /** From `loadAuditKeys`. */
  readonly keys: AuditKeys;
  readonly clock?: Clock | undefined;
  readonly checkpoint?: {
    /** Default 60,000. Only when something was written since the last one. */
    readonly everyMs?: number | undefined;
    /** Default 1,000. */
    readonly everyRecords?: number | undefined;
    /** A folder that is not on this machine's disks; one for each gateway. */
    readonly exportDirectory?: string | undefined;
  };
  /** Default 64 MiB. */
  readonly rotateBytes?: number | undefined;
  /** Fed with every record, after it was written. What it misses it gets later from the files. */
  readonly index?: AuditIndex | undefined;
  /** A sentence about the log for operators: unavailable, available again, found damaged, a checkpoint that was not written. */
  readonly onProblem?: ((message: string) => void) | undefined;
  readonly disk?: LogDisk | undefined;
}

/**
 * Opens the log for its one writer and goes on where its files end. What a crash left half-written stays where it is; the first
 * record tells of it. Records that a checkpoint vouches for and that are gone leave a gap in the numbers for good.
 *
 * @throws {PlumblineError} `ERR_AUDIT_IN_USE`, `ERR_AUDIT_UNAVAILABLE`
 */
export async function openAuditLog(settings: AuditLogSettings): Promise<AuditLog> {
  const { directory } = settings;
  await prepared(directory, () => makeDirectory(directory));
  const lock = lockLog(directory);
  try {
    return await prepared(directory, () => open(settings, lock));
  } catch (thrown) {
    lock.release();
    throw thrown;
  }
}

async function makeDirectory(directory: string): Promise<void> {
  const made = await promises.mkdir(directory, { recursive: true, mode: 0o700 });
  if (made !== undefined) await localDisk.syncDirectory(dirname(directory));
}

async function prepared<T>(directory: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (thrown) {
    throw auditUnavailable(`The audit log in ${directory} cannot be opened`, systemReason(thrown), thrown);
  }
}

async function open(settings: AuditLogSettings, lock: LogLock): Promise<AuditLog> {
  const { directory, keys, clock = systemClock, rotateBytes = 64 * 1024 * 1024, disk = localDisk } = settings;
  const onProblem = (message: string) => tellSafely(settings, message);
  const found = await findChainStart(directory);
  const newest = await newestCheckpoint(directory, keys.publicKeys.map(parseVerifierKey));
  const { start, outage } = goOn(directory, found, newest, onProblem);
  const files = new LogFileSet({ directory, disk, rotateBytes, assertOurs: () => lock.assertHeld() });
  if (start.file) await files.resume(start.file.name, start.file.size);
  const feed = indexFeed(directory, settings.index, onProblem);
  const writer: ChainWriter = new ChainWriter(
    {
      directory,
      origin: keys.origin,
      clock,
      files,
      onProblem,
      written: (records) => {
        feed.written(records);
        checkpointer.written();
      },
    },
    start,
    outage,
  );
  const { everyMs = 60_000, everyRecords = 1_000, exportDirectory } = settings.checkpoint ?? {};
  const exported = exportDirectory === undefined ? undefined : new CheckpointExport(exportDirectory, clock, onProblem);
  const checkpointer = new Checkpointer(
    { directory, keys, clock, writer, exported, everyRecords, onProblem },
    newest?.sequence ?? 0,
  );
  await writer.settle();
  const stop = new AbortController();
  const ticking = tick(clock, everyMs, stop.signal, () => checkpointer.cover('time'));
  let closing: Promise<void> | undefined;
  const close = async () => {
    stop.abort();
    await ticking;
    await checkpointer.cover('stop');
    await writer.close();
    await feed.settle();
    lock.release();
  };
  return {
    // An event that is refused is a rejection too, so that no caller needs to expect both.
    append: async (event) => writer.append(event),
    checkpoint: () => checkpointer.checkpoint('request'),
    problem: () => writer.problem(),
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}

/** Where to go on: behind the last record, or behind what a checkpoint vouches for if that is more. */
function goOn(
  directory: string,
  found: ChainStart,
  newest: ReadCheckpoint | undefined,
  tell: (message: string) => void,
): { start: ChainStart; outage: Outage | undefined } {
  const { head, torn } = found;
  for (const { file, bytes } of torn) tell(`The audit log's ${file} ends in ${bytes} bytes that are no record`);
  if (!newest || newest.sequence <= head.sequence) {
    if (newest?.sequence === head.sequence && newest.hash !== head.hash)
      tell(`The audit log in ${directory} was changed: its last checkpoint vouches for another record`);
    return { start: found, outage: torn.length > 0 ? new Outage({ torn }) : undefined };
  }
  const missing = { from: head.sequence + 1, to: newest.sequence };
  tell(`The audit log in ${directory} was cut: records ${missing.from} to ${missing.to} are gone`);
  const start = { head: { sequence: newest.sequence, hash: newest.hash, time: newest.at }, torn };
  return { start, outage: new Outage({ torn, missing }) };
}

/** A listener that throws must not make a record look refused that is on the disk. */
function tellSafely({ onProblem }: AuditLogSettings, message: string): void {
  try {
    onProblem?.(message);
  } catch {
    // The log goes on; readiness asks for the problem itself.
  }
}

async function tick(clock: Clock, everyMs: number, signal: AbortSignal, act: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    const goesOn = await clock.sleep(everyMs, signal).then(
      () => true,
      () => false,
    );
    if (goesOn) await act();
  }
}
