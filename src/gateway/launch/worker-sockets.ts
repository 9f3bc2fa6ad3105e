import type { UnixUser } from './unix-user.ts';

/** The Unix sockets by which workers of this machine reach their gateway: one for each user that they run as. */
export interface WorkerSockets {
  /**
   * Where workers of a user reach it; from now on there is a socket. The same path at every start of the gateway.
   *
   * @param user absent: the gateway's own
   * @throws {PlumblineError} `ERR_CONFIG_INVALID` when there can be none, `ERR_UNIX_USER_INVALID` when the user has two groups
   */
  pathFor(user: UnixUser | undefined): Promise<string>;
}
