import type { IncomingHttpHeaders } from 'node:http';

/** One request as a service sees it, its body read to the end. */
export interface Incoming {
  /** Lower case, without a port. */
  readonly host: string;
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Text and bytes are sent as they are, `undefined` as an empty body, everything else as JSON. */
  readonly body?: unknown;
}

/** A vendor's service behind one or more host names. */
export interface Service {
  handle(request: Incoming): Promise<Reply>;
  /** How this service words a failure that has nothing to do with the request (throttled, down). */
  failure(status: number, request: Incoming): Reply;
}

/** One answered, refused or broken exchange. Paths carry names and ids, never a token or a secret's value. */
export interface RecordedExchange {
  readonly host: string;
  /** `CONNECT` for a tunnel that the proxy refused. */
  readonly method: string;
  /** With the query. */
  readonly path: string;
  /** 0: the connection was reset on purpose. */
  readonly status: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Whether the answer came from a declared fault. */
  readonly fault: boolean;
}

export const HTTPS_PORT = 443;

export function bearer(headers: IncomingHttpHeaders): string | undefined {
  return /^Bearer (\S+)$/i.exec(headers.authorization ?? '')?.[1];
}
