import type * as http from 'node:http';
import { PlumblineError } from '#core/errors.ts';
import type { NetworkSettings } from '#core/network.ts';
import { openConnector } from './connector.ts';
import type { HttpRequest } from './http.ts';
import { bodyError, networkError, type RequestName, timeoutError } from './http-error.ts';
import { HttpResponse } from './http-response.ts';
import { IDEMPOTENT_METHODS } from './retry.ts';

const TIMEOUT_MS = 30_000;
const MAX_BODY_BYTES = 10 * 1024 * 1024;
const EXPAND = { gzip: 'gunzipSync', deflate: 'inflateSync', br: 'brotliDecompressSync' } as const;

/** One attempt: no redirect, no retry, bounded in time and size. Rejects as {@link Http.request} says. */
export async function sendOnce(wanted: HttpRequest, network: NetworkSettings): Promise<HttpResponse> {
  const name = checkedName(wanted);
  const timeoutMs = wanted.timeoutMs ?? TIMEOUT_MS;
  const timeout = AbortSignal.timeout(timeoutMs);
  const signal = wanted.signal ? AbortSignal.any([wanted.signal, timeout]) : timeout;
  try {
    const message = await exchange(name, wanted, network, signal);
    const body = await readBody(message, wanted.maxBodyBytes ?? MAX_BODY_BYTES, name);
    return new HttpResponse(name, { status: message.statusCode ?? 0, headers: message.headers, body });
  } catch (thrown) {
    wanted.signal?.throwIfAborted();
    if (timeout.aborted) throw timeoutError(name, timeoutMs);
    if (thrown instanceof PlumblineError || thrown instanceof TypeError) throw thrown;
    throw networkError(name, thrown, network);
  }
}

function checkedName({ method, url: address }: HttpRequest): RequestName {
  const url = new URL(address);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw new TypeError(`'${url.protocol}' is not HTTP`);
  if (url.username || url.password) throw new TypeError('An address with user info would put a secret into logs');
  return { method, url };
}

async function exchange(
  name: RequestName,
  wanted: HttpRequest,
  network: NetworkSettings,
  signal: AbortSignal,
): Promise<http.IncomingMessage> {
  const keepAlive = wanted.idempotent ?? IDEMPOTENT_METHODS.has(name.method);
  const connect = await openConnector(network);
  const { request: send } = await (name.url.protocol === 'https:' ? import('node:https') : import('node:http'));
  const headers = { 'accept-encoding': 'identity', ...lowerCased(wanted.headers), ...lengthOf(wanted) };
  const options = { ...connect(name.url, keepAlive), method: name.method, headers, signal };
  return new Promise((resolve, reject) => {
    const request = send(name.url, options, resolve);
    request.once('error', reject);
    request.end(wanted.body);
  });
}

function lowerCased(headers: HttpRequest['headers'] = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

function lengthOf({ method, body }: HttpRequest): Record<string, string> {
  if (body !== undefined) return { 'content-length': String(Buffer.byteLength(body)) };
  return method === 'POST' || method === 'PUT' || method === 'PATCH' ? { 'content-length': '0' } : {};
}

async function readBody(message: http.IncomingMessage, cap: number, name: RequestName): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of message) {
    size += chunk.length;
    if (size > cap) throw bodyError(name, `the body is larger than ${cap} bytes`);
    chunks.push(chunk);
  }
  return expanded(Buffer.concat(chunks), message.headers['content-encoding'], cap, name);
}

/** Compression is declined in the request; some servers compress all the same. */
async function expanded(body: Buffer, encoding: string | undefined, cap: number, name: RequestName): Promise<Buffer> {
  if (body.length === 0 || encoding === undefined || encoding === 'identity') return body;
  const expand = EXPAND[encoding as keyof typeof EXPAND];
  if (expand === undefined) throw bodyError(name, `the body has an unknown encoding '${encoding.slice(0, 40)}'`);
  const zlib = await import('node:zlib');
  try {
    return zlib[expand](body, { maxOutputLength: cap });
  } catch (cause) {
    throw bodyError(name, `the ${encoding} body cannot be expanded within ${cap} bytes`, cause);
  }
}
