import type { IncomingMessage, RequestListener } from 'node:http';
import { answerOnSocket } from './answer-on-socket.ts';
import type { Front } from './front.ts';
import { inTurns } from './in-turns.ts';
import { Problem } from './problem.ts';

/** Where requests come in, and who answers them: what is in front of the API for its own paths, else the API. */
export interface Entrances {
  /** Of the listener of the configuration. */
  readonly listener: RequestListener;
  /** Of the Unix socket for workers of one user, on which there is only what workers call; each has turns of its own. */
  socketOf(uid: number): RequestListener;
  /** By whose socket it came in: it has no address. `undefined`: by the listener. */
  userOf(request: IncomingMessage): number | undefined;
}

const TOKEN_PATH = '/v1/token';
const LUIGID_CALLS = '/luigid/api/';
/** Exchanges, and calls of luigid, of one user. They keep a processor busy, and leave room for others. */
const TURNS = { atOnce: 16, inTurn: 4 };

export function entrances(api: RequestListener, front: Front | undefined): Entrances {
  const users = new WeakMap<IncomingMessage, number>();
  return {
    listener(request, response) {
      if (front?.handles(request)) front.handle(request, response, 'listener');
      else api(request, response);
    },
    socketOf(uid) {
      // A luigid that hangs keeps no exchange waiting.
      const exchange = inTurns(api, TURNS);
      const call = inTurns((request, response) => front?.handle(request, response, { uid }), TURNS);
      return (request, response) => {
        const { url = '' } = request;
        users.set(request, uid);
        if (url === TOKEN_PATH) exchange(request, response);
        else if (url.startsWith(LUIGID_CALLS) && front?.handles(request)) call(request, response);
        else
          answerOnSocket(
            request,
            response,
            new Problem('not-found', 'There is no such path on the sockets of workers'),
          );
      };
    },
    userOf: (request) => users.get(request),
  };
}
