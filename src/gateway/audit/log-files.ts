import { promises } from 'node:fs';
import { formatSequence } from './audit-record.ts';

/** One file of the log, as its name tells. */
export interface LogFile {
  readonly name: string;
  /** Of its first record. */
  readonly firstSequence: number;
  /** Milliseconds since the epoch, of its first record. */
  readonly at: number;
}

const NAME = /^audit-(\d{16})-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\d{3})Z\.jsonl$/;

/** e.g. `audit-0000000000000001-20261121T130000123Z.jsonl`: sorted by name they are in the order of the chain. */
export function logFileName(firstSequence: number, at: number): string {
  const time = new Date(at).toISOString().replace(/[-:.]/g, '');
  return `audit-${formatSequence(firstSequence)}-${time}.jsonl`;
}

export function parseLogFileName(name: string): LogFile | undefined {
  const [, sequence, year, month, day, hour, minute, second, millisecond] = NAME.exec(name) ?? [];
  const at = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}.${millisecond}Z`);
  return Number.isNaN(at) ? undefined : { name, firstSequence: Number(sequence), at };
}

/** What of the folder belongs to the log, in the order of the chain, and what does not. */
export async function listLogFiles(directory: string): Promise<{ files: LogFile[]; foreign: string[] }> {
  const names = (await promises.readdir(directory)).sort();
  const parsed = names.map((name) => parseLogFileName(name));
  return {
    files: parsed.filter((file) => file !== undefined),
    foreign: names.filter((_, index) => parsed[index] === undefined),
  };
}
