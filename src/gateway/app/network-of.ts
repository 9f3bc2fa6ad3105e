import { isIP } from 'node:net';

/** Some proxies write the port too, as Azure's Application Gateway does. */
const WITH_PORT = /^(?:\[([\da-f:.]+)\]|(\d+\.\d+\.\d+\.\d+))(?::\d{1,5})?$/i;

/** Without a port; an IPv4 address that a socket for both families has is that address. */
export function plainAddress(address: string): string {
  const [, sixth, fourth] = WITH_PORT.exec(address) ?? [];
  return (sixth ?? fourth ?? address).replace(/^::ffff:(?=\d+\.)/i, '');
}

/**
 * Whose address it is, for counting: without a port, and of IPv6 the network of 64 bits, of which one customer has all addresses.
 * A text that is no address stays as it is.
 */
export function networkOf(address: string): string {
  const bare = plainAddress(address).replace(/%.*$/, '');
  if (isIP(bare) !== 6) return bare;
  const host = URL.parse(`http://[${bare}]/`)?.hostname.slice(1, -1) ?? bare;
  const [before = '', after] = host.split('::');
  const first = before === '' ? [] : before.split(':');
  const last = after === undefined || after === '' ? [] : after.split(':');
  const groups = [...first, ...Array.from({ length: 8 - first.length - last.length }, () => '0'), ...last];
  return `${groups.slice(0, 4).join(':')}::/64`;
}
