import { existsSync, readFileSync } from 'node:fs';
import { PlumblineError } from '#core/errors.ts';
import type { StartAs } from '#engines/luigi/python-interpreter.ts';
import type { UnixUser } from './unix-user.ts';

/**
 * What the gateway needs to start workers as other users, to read what they write, and to end them; capabilities(7). All of them
 * are gone from a worker: it changes from root to a user that is not.
 */
const CAPABILITIES = { CHOWN: 0, DAC_OVERRIDE: 1, FOWNER: 3, KILL: 5, SETGID: 6, SETUID: 7, SYS_PTRACE: 19 } as const;
const SETPRIV = ['/usr/bin/setpriv', '/bin/setpriv'];

/** Why this process cannot run workers as other users; `undefined` when it can. */
export function whyNoUsers(): string | undefined {
  if (process.platform !== 'linux') return `${process.platform} has no supported way`;
  if (process.geteuid?.() !== 0) return 'the gateway does not run as root';
  const held = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? '0'}`);
  const missing = Object.entries(CAPABILITIES).filter(([, bit]) => (held & (1n << BigInt(bit))) === 0n);
  if (missing.length > 0) return `the gateway lacks ${missing.map(([name]) => `CAP_${name}`).join(', ')}`;
  return SETPRIV.some(existsSync) ? undefined : 'setpriv of util-linux is missing';
}

/** @throws {PlumblineError} `ERR_ISOLATION_UNAVAILABLE` */
export function requireUsers(): void {
  const why = whyNoUsers();
  if (why === undefined) return;
  throw new PlumblineError('ERR_ISOLATION_UNAVAILABLE', `Workers cannot run as Unix users of their own: ${why}`, {
    remedy: 'See docs/gateway/isolation.md for what it takes, or set isolation: none and let no role name a Unix user.',
  });
}

/**
 * A command as another user: it has no privileges, no group but its primary one, and cannot win any by a set-user-ID program.
 * The change of user comes before anything that the user could have written is loaded.
 */
export function asUser(user: UnixUser | undefined, command: string, args: readonly string[]): StartAs {
  if (!user) return { command, args };
  const setpriv = SETPRIV.find(existsSync) ?? 'setpriv';
  const options = ['--no-new-privs', '--inh-caps=-all', '--ambient-caps=-all', '--'];
  return { command: setpriv, args: [...options, command, ...args], uid: user.uid, gid: user.gid };
}
