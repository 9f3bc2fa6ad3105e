import { formatDuration } from '#core/duration.ts';
import type { IssuerKey } from '#gateway/issuer/issuer-key.ts';
import type { KeyList } from '#gateway/issuer/key-changes.ts';
import { isPublishedLongEnough, type KeyTimes, keptFor } from '#gateway/issuer/key-lifecycle.ts';
import type { Arguments } from './arguments.ts';
import { table } from './table.ts';
import type { Terminal } from './terminal.ts';

/** Every key with its state and what becomes of it, as a table or with `--json` as an object. */
export function tellKeys(list: KeyList, times: KeyTimes, given: Arguments, terminal: Terminal): void {
  if (given.flag('json')) {
    const keys = list.keys.map((key) => ({
      kid: key.kid,
      state: key.state,
      inForce: key.inForce ?? null,
      forMs: key.inForce === undefined ? 0 : list.now - key.since,
    }));
    terminal.out(JSON.stringify({ ok: true, keys }));
    return;
  }
  if (list.keys.length === 0) {
    terminal.out('There is no key yet: the gateway makes the first one at its start.');
    return;
  }
  const rows = list.keys.map((key) => [key.kid, key.state, becomes(key, times, list.now)]);
  for (const line of table(['KEY', 'STATE', 'WHAT COMES'], rows)) terminal.out(line);
}

function becomes(key: IssuerKey, times: KeyTimes, now: number): string {
  if (key.state !== key.inForce) return 'the gateway takes it up within two seconds, or at its next start';
  const age = now - key.since;
  const isAutomatic = times.rotateEveryMs > 0;
  if (key.state === 'retired') return `removed in ${left(keptFor(times) - age)}`;
  if (key.state === 'active')
    return isAutomatic
      ? `signs; a new one is prepared in ${left(times.rotateEveryMs - times.publishForMs - age)}`
      : 'signs';
  const ready = isPublishedLongEnough(key, times, now) ? 'now' : `in ${left(times.publishForMs - age)}`;
  return isAutomatic ? `published; signs by itself ${ready}` : `published; can be activated ${ready}`;
}

function left(ms: number): string {
  return formatDuration(Math.max(0, ms));
}
