import { randomUUID } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Front } from './front.ts';
import { PROBLEM_TYPE, Problem, problemDocument } from './problem.ts';

/** Where requests come in, and who answers them: what is in front of the API for its own paths, else the API. */
export interface Entrances {
  /** Of the listener of the configuration. */
  readonly listener: RequestListener;
  /** Of the Unix socket for workers of this machine, on which there is only what workers call. */
  readonly socket: RequestListener;
  /** Whether it came in by the socket: it has no address. */
  isLocal(request: IncomingMessage): boolean;
}

const TOKEN_PATH = '/v1/token';
const LUIGID_CALLS = '/luigid/api/';

export function entrances(api: RequestListener, front: Front | undefined): Entrances {
  const local = new WeakSet<IncomingMessage>();
  return {
    listener(request, response) {
      if (front?.handles(request)) front.handle(request, response, 'listener');
      else api(request, response);
    },
    socket(request, response) {
      const { url = '' } = request;
      local.add(request);
      if (url === TOKEN_PATH) api(request, response);
      else if (url.startsWith(LUIGID_CALLS) && front?.handles(request)) front.handle(request, response, 'socket');
      else answerNotFound(request, response);
    },
    isLocal: (request) => local.has(request),
  };
}

/** The rest of the request is not read: the connection ends. */
function answerNotFound(request: IncomingMessage, response: ServerResponse): void {
  const problem = new Problem('not-found', 'There is no such path on the socket of workers');
  const headers = { 'content-type': PROBLEM_TYPE, 'cache-control': 'no-store', connection: 'close' };
  response.writeHead(problem.status, headers).end(JSON.stringify(problemDocument(problem, randomUUID())));
  request.resume();
}
