import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Of one connection, the one that is answered among them: no worker sends a request before the last one is answered. */
const MOST_OF_CONNECTION = 2;

/**
 * Lets no more than so many requests be worked on at once; the others wait, each on its connection, in the order in which they
 * came. So the next requests of others come in after a few of these, however many these are. A connection on which more
 * requests come than are answered is cut.
 */
export function inTurns(listener: RequestListener, most: number): RequestListener {
  const waiting: [IncomingMessage, ServerResponse][] = [];
  const pending = new WeakMap<Socket, number>();
  let going = 0;

  function begin(request: IncomingMessage, response: ServerResponse): void {
    going += 1;
    response.once('close', () => {
      going -= 1;
      next();
    });
    listener(request, response);
  }

  function next(): void {
    let one = waiting.shift();
    // Whoever has gone meanwhile needs no answer.
    while (one?.[1].closed) one = waiting.shift();
    if (one) begin(...one);
  }

  return (request, response) => {
    const { socket } = request;
    const own = (pending.get(socket) ?? 0) + 1;
    if (own > MOST_OF_CONNECTION) return void socket.destroy();
    pending.set(socket, own);
    response.once('close', () => pending.set(socket, (pending.get(socket) ?? 1) - 1));
    if (going < most) begin(request, response);
    else waiting.push([request, response]);
  };
}
