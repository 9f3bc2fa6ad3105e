import * as http from 'node:http';
import * as https from 'node:https';
import type * as net from 'node:net';
import { HttpProxyAgent } from 'http-proxy-agent';
import { HttpsProxyAgent } from 'https-proxy-agent';
import type { NetworkSettings } from '#core/network.ts';
import { ProxyRefused } from './proxy-refused.ts';
import { proxyFor } from './proxy-route.ts';
import { trustOf } from './trust.ts';

/**
 * The options of `node:https` (or `node:http`) that take a request to `target` as the settings ask: through the proxy or
 * directly, with the trusted authorities and the client certificate.
 *
 * @param keepAlive Keep the connection for the next request. Off for a request that must not be sent twice: on a kept
 *   connection that the server has just closed nobody knows whether it arrived.
 */
export function connectionOptions(target: URL, network: NetworkSettings, keepAlive: boolean): https.RequestOptions {
  const proxy = proxyFor(target, network, process.env);
  const secure = target.protocol === 'https:';
  const key = `${proxy?.href ?? 'direct'} ${secure} ${keepAlive}`;
  const agents = agentsOf(network);
  const agent = agents.get(key) ?? newAgent(proxy, secure, keepAlive, network);
  agents.set(key, agent);
  return { agent, ...(secure && trustOf(network)) };
}

const AGENTS = new WeakMap<NetworkSettings, Map<string, http.Agent>>();

function agentsOf(network: NetworkSettings): Map<string, http.Agent> {
  const known = AGENTS.get(network) ?? new Map<string, http.Agent>();
  AGENTS.set(network, known);
  return known;
}

function newAgent(proxy: URL | undefined, secure: boolean, keepAlive: boolean, network: NetworkSettings): http.Agent {
  if (proxy === undefined) return secure ? new https.Agent({ keepAlive }) : new http.Agent({ keepAlive });
  const trust = proxy.protocol === 'https:' ? trustOf(network) : {};
  if (secure) return new TunnelAgent(proxy, { keepAlive, ...trust });
  return new HttpProxyAgent(proxy, { keepAlive, ...trust });
}

/** HttpsProxyAgent replays a refusal of the proxy as if the target had answered; here it is an error. */
class TunnelAgent extends HttpsProxyAgent<string> {
  override async connect(...[request, options]: Parameters<HttpsProxyAgent<string>['connect']>): Promise<net.Socket> {
    let status = 200;
    request.once('proxyConnect', (answer: { statusCode: number }) => {
      status = answer.statusCode;
    });
    const socket = await super.connect(request, options);
    if (status === 200) return socket;
    socket.destroy();
    throw new ProxyRefused(status);
  }
}
