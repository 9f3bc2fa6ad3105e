import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { plainAddress } from '../app/network-of.ts';

/**
 * Where a request comes from: the connection's other end or, behind proxies, the last address that no proxy of ours wrote.
 * What is no address ends the search: whoever wrote it may have written what stands before it.
 *
 * @param isProxy absent: no proxy is believed
 */
export function clientAddress(
  { socket, headers }: Pick<IncomingMessage, 'socket' | 'headers'>,
  isProxy: ((address: string) => boolean) | undefined,
): string {
  let address = plainAddress(socket.remoteAddress ?? '');
  if (isProxy === undefined) return address;
  const forwarded = headers['x-forwarded-for'];
  const hops = (typeof forwarded === 'string' ? forwarded : '').split(',').map((hop) => plainAddress(hop.trim()));
  while (isProxy(address)) {
    const hop = hops.pop();
    if (hop === undefined || isIP(hop) === 0) break;
    address = hop;
  }
  return address;
}
