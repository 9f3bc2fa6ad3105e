import type { IncomingMessage, ServerResponse } from 'node:http';

/** How a request came in: by the listener of the configuration, or by the Unix socket for workers of one user of this machine. */
export type Entrance = 'listener' | { readonly uid: number };

/** Answers requests of its own paths, before the API sees them and without its cost; their body is not read yet. */
export interface Front {
  /** By the request target alone; every request is asked about. */
  handles(request: IncomingMessage): boolean;
  /** Never throws. On a socket there is no address, and only calls of workers exist. */
  handle(request: IncomingMessage, response: ServerResponse, entrance: Entrance): void;
  /** Finishes what it has begun; nothing comes in any more. */
  close(): Promise<void>;
}
