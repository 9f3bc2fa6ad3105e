import { readFileSync } from 'node:fs';

let known: string | undefined;

/** Names the time since this machine was switched on. Pids and start times of before say nothing. Constant where there is none. */
export function bootId(): string {
  known ??= process.platform === 'linux' ? readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim() : '-';
  return known;
}
