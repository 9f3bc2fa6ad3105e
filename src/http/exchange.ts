import type * as http from 'node:http';
import type { NetworkSettings } from '#core/network.ts';
import { openConnector } from './connector.ts';
import type { HttpRequest } from './http.ts';
import type { RequestName } from './http-error.ts';

/**
 * The request's name, after its address was looked at.
 * @throws {TypeError} when the address is no HTTP or has user info.
 */
export function checkedName({ method, url: address }: Pick<HttpRequest, 'method' | 'url'>): RequestName {
  const url = new URL(address);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw new TypeError(`'${url.protocol}' is not HTTP`);
  if (url.username || url.password) throw new TypeError('An address with user info would put a secret into logs');
  return { method, url };
}

/** Sends the request once and resolves with the beginning of the answer; the body is still to be read. */
export async function exchange(
  name: RequestName,
  wanted: Pick<HttpRequest, 'headers' | 'body'>,
  network: NetworkSettings,
  { keepAlive, signal }: { readonly keepAlive: boolean; readonly signal: AbortSignal },
): Promise<http.IncomingMessage> {
  const connect = await openConnector(network);
  const { request: send } = await (name.url.protocol === 'https:' ? import('node:https') : import('node:http'));
  const headers = {
    'accept-encoding': 'identity',
    ...lowerCased(wanted.headers),
    ...lengthOf(name.method, wanted.body),
  };
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

function lengthOf(method: string, body: HttpRequest['body']): Record<string, string> {
  if (body !== undefined) return { 'content-length': String(Buffer.byteLength(body)) };
  return method === 'POST' || method === 'PUT' || method === 'PATCH' ? { 'content-length': '0' } : {};
}
