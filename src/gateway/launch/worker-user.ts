import { PlumblineError } from '#core/errors.ts';
import { findUnixUser, type UnixUser } from './unix-user.ts';

/**
 * Whom the workers of a role run as; `undefined`: as the gateway itself.
 * @param unixUser as the role names it
 * @throws {PlumblineError} `ERR_ISOLATION_UNAVAILABLE` when that does not fit, `ERR_UNIX_USER_INVALID`
 */
export async function workerUser(
  unixUser: string | undefined,
  isolation: 'user' | 'none',
): Promise<UnixUser | undefined> {
  const isNamed = unixUser !== undefined;
  if (isNamed === (isolation === 'user')) return isNamed ? findUnixUser(unixUser) : undefined;
  const why = isNamed
    ? `the gateway runs with isolation: none, and the role names the Unix user ${unixUser}`
    : "the role names no Unix user, and the gateway's own is for no worker";
  throw new PlumblineError('ERR_ISOLATION_UNAVAILABLE', `The run cannot be started: ${why}`, {
    remedy: 'Let every role name a Unix user and the gateway run as root, or neither.',
  });
}
