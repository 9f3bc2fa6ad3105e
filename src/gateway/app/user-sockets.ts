import { chmodSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { join } from 'node:path';
import { PlumblineError } from '#core/errors.ts';
import type { UnixUser } from '../launch/unix-user.ts';
import type { WorkerSockets } from '../launch/worker-sockets.ts';
import { answerOnSocket } from './answer-on-socket.ts';
import type { ServerLimits } from './http-server.ts';
import { Problem } from './problem.ts';
import { openWorkerSocket, removeStaleSocket, UNFINISHED, unusableSocket, type WorkerSocket } from './worker-socket.ts';

/** `sun_path` of unix(7), without the byte that ends it. */
const LONGEST_PATH = 107;
/** Above it there is (uid_t) -1, which is nobody. */
const LARGEST_UID = 4_294_967_294;
const NAME = /^\d+\.sock$/;

interface UserSocket {
  readonly path: string;
  readonly gid: number | undefined;
  readonly opened: Promise<WorkerSocket>;
}

/**
 * `<runsDirectory>/sockets/<uid>.sock`: a socket for each Unix user of workers, made before the first of them, to which nobody
 * else can connect. So no user takes a connection, or a turn, from another.
 */
export class UserSockets implements WorkerSockets {
  readonly #folder: string;
  readonly #limits: ServerLimits;
  readonly #sockets = new Map<number, UserSocket>();
  readonly #listeners = new Map<number, RequestListener>();
  #listenerOf: ((uid: number) => RequestListener) | undefined;
  #closed: Promise<void> | undefined;

  /** @throws {PlumblineError} `ERR_CONFIG_INVALID` when the system does not take paths as long as these will be */
  constructor(runsDirectory: string, limits: ServerLimits) {
    this.#folder = join(runsDirectory, 'sockets');
    this.#limits = limits;
    const longest = join(this.#folder, UNFINISHED, `${LARGEST_UID}.sock`);
    const over = Buffer.byteLength(longest) - LONGEST_PATH;
    if (over <= 0) return;
    const reason = `such a path may have ${LONGEST_PATH} bytes and can have ${over} more`;
    throw unusableSocket(this.#folder, reason, 'Choose a runs directory with a shorter path.');
  }

  /**
   * Makes the folder in a runs directory that is the gateway's own, and removes what a dead gateway left.
   *
   * @throws {PlumblineError} `ERR_CONFIG_INVALID`, also when another gateway answers there; `ERR_ISOLATION_UNAVAILABLE`
   */
  async open(): Promise<void> {
    makeOwn(this.#folder, 0o711);
    makeOwn(join(this.#folder, UNFINISHED), 0o700);
    for (const name of readdirSync(this.#folder))
      if (NAME.test(name)) await removeStaleSocket(join(this.#folder, name));
  }

  /** From now on requests are answered; before they are told to come again. */
  serve(listenerOf: (uid: number) => RequestListener): void {
    this.#listenerOf = listenerOf;
  }

  async pathFor(user: UnixUser | undefined): Promise<string> {
    const uid = user?.uid ?? ownUid();
    const gid = user?.gid;
    const known = this.#sockets.get(uid);
    if (known && known.gid !== gid) throw twoGroups(user);
    const path = known?.path ?? join(this.#folder, `${uid}.sock`);
    // A worker that is launched by a gateway that stops waits for the next one.
    if (this.#closed !== undefined) return path;
    const { opened } = known ?? this.#add(uid, { path, gid });
    await opened;
    return path;
  }

  /** Lets nothing more in; resolves when what runs is answered. Once: the next gateway may have its own there soon. */
  close(): Promise<void> {
    this.#closed ??= this.#each((socket) => socket.close());
    return this.#closed;
  }

  /** Ends every connection, answered or not. */
  cut(): void {
    void this.#each(async (socket) => socket.cut());
  }

  #add(uid: number, place: { readonly path: string; readonly gid: number | undefined }): UserSocket {
    const opened = openWorkerSocket(place, (request, response) => this.#answer(uid, request, response), this.#limits);
    const added = { ...place, opened };
    this.#sockets.set(uid, added);
    // Whoever waits for it is told; the next one tries again.
    opened.catch(() => this.#sockets.delete(uid));
    return added;
  }

  #answer(uid: number, ...[request, response]: Parameters<RequestListener>): void {
    const listener = this.#listeners.get(uid) ?? this.#listenerOf?.(uid);
    if (listener) this.#listeners.set(uid, listener);
    (listener ?? answerNotReady)(request, response);
  }

  async #each(act: (socket: WorkerSocket) => Promise<void>): Promise<void> {
    await Promise.allSettled([...this.#sockets.values()].map(async ({ opened }) => act(await opened)));
  }
}

function ownUid(): number {
  return process.geteuid?.() ?? 0;
}

const answerNotReady: RequestListener = (request, response) =>
  answerOnSocket(
    request,
    response,
    new Problem('not-ready', 'The gateway starts', { headers: { 'retry-after': '1' } }),
  );

function makeOwn(path: string, mode: number): void {
  mkdirSync(path, { recursive: true, mode });
  const { uid } = statSync(path);
  if (uid !== ownUid())
    throw new PlumblineError('ERR_ISOLATION_UNAVAILABLE', `The folder ${path} belongs to another user`, {
      remedy: 'Give the gateway a runs directory of its own, with mode 0711.',
    });
  // Whatever the umask took away: workers must pass.
  chmodSync(path, mode);
}

/** The socket is for one group: workers of the other would wait for an answer in vain. */
function twoGroups(user: UnixUser | undefined): PlumblineError {
  const { name = '', uid = 0, gid = 0 } = user ?? {};
  return new PlumblineError(
    'ERR_UNIX_USER_INVALID',
    `No worker can run as the Unix user ${JSON.stringify(name)}: workers of ${uid} have another group than ${gid}`,
    {
      remedy:
        'Name one group for the user in all roles; after a change of its group let its runs end and restart the gateway.',
    },
  );
}
