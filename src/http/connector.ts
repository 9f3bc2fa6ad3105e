import type * as http from 'node:http';
import type * as https from 'node:https';
import type { SecureContextOptions } from 'node:tls';
import type { NetworkSettings } from '#core/network.ts';
import { ProxyRefused } from './proxy-refused.ts';
import { proxyFor } from './proxy-route.ts';
import { trustOf } from './trust.ts';

/**
 * Gives the options of `node:https` (or `node:http`) that take a request to `target` as the settings ask: through the
 * proxy or directly, with the trusted authorities and the client certificate.
 *
 * @param keepAlive Keep the connection for the next request. Off for a request that must not be sent twice: on a kept
 *   connection that the server has just closed nobody knows whether it arrived.
 */
export type Connector = (target: URL, keepAlive: boolean) => https.RequestOptions;

/**
 * The connector of these settings, the same one each time. What it needs is loaded here and not with this file: the TLS
 * stack and the proxy agents cost a step a tenth of its start, and a step that fails before its first request needs neither.
 *
 * @throws {PlumblineError} `ERR_HTTP_NETWORK` when a file named in the settings cannot be read.
 */
export function openConnector(network: NetworkSettings): Promise<Connector> {
  const known = CONNECTORS.get(network);
  if (known !== undefined) return known;
  const opening = newConnector(network);
  CONNECTORS.set(network, opening);
  opening.catch(() => CONNECTORS.delete(network));
  return opening;
}

const CONNECTORS = new WeakMap<NetworkSettings, Promise<Connector>>();

async function newConnector(network: NetworkSettings): Promise<Connector> {
  const [http, https, proxied] = await Promise.all([
    import('node:http'),
    import('node:https'),
    import('./proxy-agents.ts'),
  ]);
  const trust = await trustOf(network);
  const open = { http, https, proxied, trust };
  const agents = new Map<string, http.Agent>();
  return (target, keepAlive) => {
    const proxy = proxyFor(target, network, process.env);
    const secure = target.protocol === 'https:';
    const key = `${proxy?.href ?? 'direct'} ${secure} ${keepAlive}`;
    const agent = agents.get(key) ?? newAgent(open, { proxy, secure, keepAlive });
    agents.set(key, agent);
    return { agent, ...(secure && trust) };
  };
}

interface Open {
  readonly http: typeof http;
  readonly https: typeof https;
  readonly proxied: typeof import('./proxy-agents.ts');
  readonly trust: SecureContextOptions;
}

interface Wanted {
  readonly proxy: URL | undefined;
  readonly secure: boolean;
  readonly keepAlive: boolean;
}

function newAgent({ http, https, proxied, trust }: Open, { proxy, secure, keepAlive }: Wanted): http.Agent {
  if (proxy === undefined) return secure ? new https.Agent({ keepAlive }) : new http.Agent({ keepAlive });
  const options = { keepAlive, ...(proxy.protocol === 'https:' && trust) };
  if (secure) return proxied.tunnelAgent(proxy, options, (status) => new ProxyRefused(status));
  return proxied.forwardingAgent(proxy, options);
}
