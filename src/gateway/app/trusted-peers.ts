import { BlockList, isIP } from 'node:net';

/** Whether a connection's other end is one of the proxies; without proxies everybody is. */
export function trustedPeers(proxies: readonly string[] = []): (address: string) => boolean {
  if (proxies.length === 0) return () => true;
  const list = new BlockList();
  for (const proxy of proxies) {
    const [address = '', bits] = proxy.split('/');
    if (bits === undefined) list.addAddress(address, family(address));
    else list.addSubnet(address, Number(bits), family(address));
  }
  return (peer) => {
    // An IPv4 peer of a socket for both families.
    const address = peer.replace(/^::ffff:(?=\d+\.)/i, '');
    return isIP(address) !== 0 && list.check(address, family(address));
  };
}

function family(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4';
}
