import type { AuditIndex, AuditIndexEntry } from './audit-index.ts';
import { systemReason } from './audit-unavailable.ts';
import { catchUpIndex } from './index-log.ts';

/**
 * Each commit of the store waits for the disk, and so does the whole process: records of so many milliseconds share one. What a crash
 * takes of them is in the files.
 */
const GATHER_MS = 100;

/** Brings written records into the index, behind the appends. */
export interface IndexFeed {
  written(entries: readonly AuditIndexEntry[]): void;
  settle(): Promise<void>;
}

/** A store that is away keeps no record from being written: what the index misses it gets from the files. */
export function indexFeed(
  directory: string,
  index: AuditIndex | undefined,
  tell: (message: string) => void,
): IndexFeed {
  if (!index) return { written: () => undefined, settle: async () => undefined };
  let waiting: AuditIndexEntry[] = [];
  let behind = true;
  let told = false;
  let feeding: Promise<void> | undefined;
  let hurry = () => {};

  const gather = () =>
    new Promise<void>((gathered) => {
      const timer = setTimeout(gathered, GATHER_MS).unref();
      hurry = () => {
        clearTimeout(timer);
        gathered();
      };
    });
  const feed = async () => {
    try {
      if (behind) {
        waiting = [];
        behind = false;
        await catchUpIndex({ directory, index });
      }
      while (waiting.length > 0) await index.add(waiting.splice(0));
      told = false;
    } catch (thrown) {
      behind = true;
      if (!told) tell(`The index of the audit log is behind its files: ${systemReason(thrown)}`);
      told = true;
    }
  };
  const start = () => {
    feeding ??= gather()
      .then(feed)
      .finally(() => {
        feeding = undefined;
        if (waiting.length > 0 && !behind) start();
      });
  };
  return {
    written: (entries) => {
      // While it is behind, the files hold them.
      if (!behind) waiting.push(...entries);
      start();
    },
    settle: async () => {
      start();
      while (feeding !== undefined) {
        hurry();
        await feeding;
      }
    },
  };
}
