import type * as http from 'node:http';
import type * as net from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import { HttpProxyAgent } from 'http-proxy-agent';
import { HttpsProxyAgent } from 'https-proxy-agent';

/** Of the connection to the proxy itself. */
export type ProxyConnection = SecureContextOptions & { readonly keepAlive: boolean };

/** Sends plain requests to the proxy, which forwards them. */
export function forwardingAgent(proxy: URL, options: ProxyConnection): http.Agent {
  return new HttpProxyAgent(proxy, options);
}

/**
 * Reaches https hosts through CONNECT.
 * @param refused makes the error when the proxy answers CONNECT with another status than 200
 */
export function tunnelAgent(proxy: URL, options: ProxyConnection, refused: (status: number) => Error): http.Agent {
  return new TunnelAgent(proxy, options, refused);
}

/** HttpsProxyAgent replays a refusal of the proxy as if the target had answered; here it is an error. */
class TunnelAgent extends HttpsProxyAgent<string> {
  readonly #refused: (status: number) => Error;

  constructor(proxy: URL, options: ProxyConnection, refused: (status: number) => Error) {
    super(proxy, options);
    this.#refused = refused;
  }

  override async connect(...[request, options]: Parameters<HttpsProxyAgent<string>['connect']>): Promise<net.Socket> {
    let status = 200;
    request.once('proxyConnect', (answer: { statusCode: number }) => {
      status = answer.statusCode;
    });
    const socket = await super.connect(request, options);
    if (status === 200) return socket;
    socket.destroy();
    throw this.#refused(status);
  }
}
