import { createServer, type RequestListener, type Server, type ServerOptions, STATUS_CODES } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { GatewayConfig } from '../config/gateway-config.ts';
import { PROBLEM_TYPE, Problem, type ProblemCode, problemDocument } from './problem.ts';

const MAX_HEADER_BYTES = 16_384;
/** A handler's own time-out answers before the socket's ends the connection. */
const SOCKET_MARGIN_MS = 5_000;

export type ServerLimits = Pick<GatewayConfig, 'limits' | 'timeouts'>;

/** PEM texts; absent: plain HTTP. */
export interface ServerCertificate {
  readonly cert: string;
  readonly key: string;
}

/** Node's server with every time-out and size set: the defaults of the framework are none. */
export function httpServer(
  listener: RequestListener,
  { limits, timeouts }: ServerLimits,
  certificate: ServerCertificate | undefined,
): Server {
  const options: ServerOptions = {
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: timeouts.headersMs,
    // A bundle may take longer than other requests, which are held to theirs by the handler's time-out.
    requestTimeout: Math.max(timeouts.requestMs, timeouts.uploadMs),
    keepAliveTimeout: timeouts.keepAliveMs,
    connectionsCheckingInterval: Math.min(5_000, timeouts.headersMs),
    insecureHTTPParser: false,
    // The gate says so in the words of this API.
    requireHostHeader: false,
    noDelay: true,
  };
  const server =
    certificate === undefined
      ? createServer(options, listener)
      : createTlsServer({ ...options, ...certificate, minVersion: 'TLSv1.2' }, listener);
  // The size of the head bounds their number; Node would leave out what is over without a word.
  server.maxHeadersCount = 0;
  server.maxConnections = limits.connections;
  server.setTimeout(Math.max(timeouts.requestMs, timeouts.slowWatcherMs, 2 * timeouts.heartbeatMs) + SOCKET_MARGIN_MS);
  return server;
}

const BY_CODE: Readonly<Record<string, readonly [ProblemCode, string]>> = {
  HPE_HEADER_OVERFLOW: ['headers-too-large', `The head of the request is larger than ${MAX_HEADER_BYTES} bytes`],
  ERR_HTTP_REQUEST_TIMEOUT: ['request-timeout', 'The request did not arrive in time'],
};

/** Answers what is no HTTP request, and ends the connection: what follows on it cannot be trusted. */
export function answerBrokenRequest(
  error: Error & { readonly code?: string },
  socket: Socket,
  requestId: string,
): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  const [code, detail] = BY_CODE[error.code ?? ''] ?? ['request-malformed', 'The request is no valid HTTP/1.1'];
  const problem = new Problem(code, detail);
  const body = JSON.stringify(problemDocument(problem, requestId));
  const head = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`,
    `Content-Type: ${PROBLEM_TYPE}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Cache-Control: no-store',
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
}
