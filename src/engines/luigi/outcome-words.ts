import type { Evidence } from './evidence.ts';

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

export function because(error: string | undefined): string {
  return error ? ` (${error})` : '';
}
