import { oneLine } from '#core/task-name.ts';
import type { Evidence } from './evidence.ts';

/** Characters of somebody else's words in one of ours. */
const MESSAGE_LENGTH = 500;
const WORD_LENGTH = 64;

/** What the message of an outcome may mention. */
export interface OutcomeFacts {
  /** What was run, e.g. `DailyReport of sales.daily`. */
  readonly run: string;
  readonly evidence: Evidence;
  /** Tasks that were running when the run ended or was stopped. */
  readonly running: readonly string[];
  readonly runDirectory: string;
}

export function leftovers({ record }: Evidence): string {
  if (!record || (record.killed === 0 && record.left === 0)) return '';
  const left = record.left > 0 ? `, ${record.left} are left` : '';
  return ` (${record.killed} processes had to be killed${left})`;
}

export function whileRunning({ running }: OutcomeFacts): string {
  if (running.length === 0) return ', no task was running';
  const shown = running.slice(0, 5).join(', ');
  return ` while ${shown}${running.length > 5 ? ` and ${running.length - 5} more` : ''} ${running.length === 1 ? 'was' : 'were'} running`;
}

export function death({ record }: Evidence): string {
  if (record?.stopped) return 'its worker was stopped by somebody else than this step';
  return `its worker was ended by ${record?.signal ?? `status ${record?.code}`}`;
}

export function rootSays({ asked }: Evidence): string {
  return asked?.complete === true ? '; its root task is complete by now' : '';
}

/** Whose identity was refused and why, as the gateway or the worker put it. */
export function rejection({ evidence: { rejected } }: OutcomeFacts): string {
  if (!rejected) return 'an identity was refused, and the event that says which is missing';
  const { family, reason, message } = rejected;
  const whose = family ? `the identity of ${family}` : 'its identity';
  return `${whose} was refused (${oneLine(reason, WORD_LENGTH)}): ${oneLine(message, MESSAGE_LENGTH)}`;
}

export function because(error: string | undefined): string {
  return error ? ` (${error})` : '';
}
