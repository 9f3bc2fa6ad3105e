import type { LuigidSettings } from './gateway-config.ts';
import type { RawGatewayConfig } from './raw-gateway-config.ts';
import { type Complain, urlProblem } from './url-problem.ts';

/** @param path makes a path of the file absolute */
export function luigidSettings(
  raw: RawGatewayConfig['luigid'],
  path: (relative: string) => string,
  complain: Complain,
): LuigidSettings | undefined {
  if (raw === undefined) return undefined;
  const { socket, url } = typeof raw === 'string' ? { url: raw } : { socket: undefined, ...raw };
  const proxied = typeof raw !== 'string';
  if (socket !== undefined && url === undefined) return { upstream: { kind: 'socket', path: path(socket) }, proxied };
  if (socket !== undefined || url === undefined) complain(['luigid'], "needs 'socket' or 'url', one of the two");
  const why = url === undefined ? undefined : urlProblem(URL.parse(url));
  if (why !== undefined) complain(proxied ? ['luigid', 'url'] : ['luigid'], why);
  return { upstream: { kind: 'url', url: (url ?? '').replace(/\/+$/, '') }, proxied };
}
