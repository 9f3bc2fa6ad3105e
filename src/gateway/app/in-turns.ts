import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Of one connection, the one that is answered among them: no worker sends a request before the last one is answered. */
const MOST_OF_CONNECTION = 2;

export interface Turns {
  /** Requests that are worked on at the same time. */
  readonly atOnce: number;
  /** Those that are begun before the event loop looks for what others have sent. */
  readonly inTurn: number;
}

/**
 * Lets some requests be worked on; the others wait, each on its connection, in the order in which they came. So what others
 * send is looked at after a few of these, however many these are. A connection on which more requests come than are answered
 * is cut.
 */
export function inTurns(listener: RequestListener, { atOnce, inTurn }: Turns): RequestListener {
  const waiting: [IncomingMessage, ServerResponse][] = [];
  const pending = new WeakMap<Socket, number>();
  let going = 0;
  let begun = 0;
  let isEnding = false;

  const hasTurn = () => going < atOnce && begun < inTurn;

  function endTurn(): void {
    if (isEnding) return;
    isEnding = true;
    setImmediate(() => {
      isEnding = false;
      begun = 0;
      while (waiting.length > 0 && hasTurn()) begin(...(waiting.shift() as (typeof waiting)[number]));
    });
  }

  function begin(request: IncomingMessage, response: ServerResponse): void {
    // Whoever has gone meanwhile needs no answer.
    if (response.closed) return;
    going += 1;
    begun += 1;
    endTurn();
    response.once('close', () => {
      going -= 1;
      if (waiting.length > 0) endTurn();
    });
    listener(request, response);
  }

  return (request, response) => {
    const { socket } = request;
    const own = (pending.get(socket) ?? 0) + 1;
    if (own > MOST_OF_CONNECTION) return void socket.destroy();
    pending.set(socket, own);
    response.once('close', () => pending.set(socket, (pending.get(socket) ?? 1) - 1));
    if (waiting.length === 0 && hasTurn()) begin(request, response);
    else waiting.push([request, response]);
  };
}
