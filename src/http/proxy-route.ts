import type { NetworkSettings } from '#core/network.ts';

/** The environment variables that matter here; the lower-case names win, as in curl. */
export type ProxyEnvironment = Readonly<Record<string, string | undefined>>;

/**
 * The proxy through which `target` is reached, user info included, or `undefined` for a direct connection.
 *
 * The agent's own proxy wins; without one `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` are read. Loopback addresses and the
 * instance metadata service are always reached directly: no proxy can reach them on our behalf.
 */
export function proxyFor(target: URL, network: NetworkSettings, environment: ProxyEnvironment): URL | undefined {
  if (isOnThisMachine(target.hostname)) return undefined;
  if (network.proxy) return agentProxy(target, network.proxy);
  return environmentProxy(target, environment);
}

function isOnThisMachine(hostname: string): boolean {
  return /^(?:localhost|127(?:\.\d+){3}|\[::1\]|169\.254\.169\.254)$/.test(hostname);
}

function agentProxy(target: URL, proxy: NonNullable<NetworkSettings['proxy']>): URL | undefined {
  if (proxy.bypass.some((pattern) => matches(pattern, target))) return undefined;
  const url = new URL(proxy.url);
  if (proxy.username !== undefined) url.username = encodeURIComponent(proxy.username);
  if (proxy.password !== undefined) url.password = encodeURIComponent(proxy.password.reveal());
  return url;
}

/**
 * The agent's `.proxybypass` has one regular expression a line, compared with the whole address. One that cannot be read
 * bypasses nothing, as in the agent.
 */
function matches(pattern: string, target: URL): boolean {
  if (pattern.trim() === '') return false;
  try {
    const expression = new RegExp(pattern.trim(), 'i');
    return expression.test(target.href) || expression.test(target.hostname);
  } catch {
    return false;
  }
}

function environmentProxy(target: URL, environment: ProxyEnvironment): URL | undefined {
  const read = (name: string) => environment[name.toLowerCase()] || environment[name] || undefined;
  if (noProxy(read('NO_PROXY') ?? '').some((entry) => covers(entry, target))) return undefined;
  const address = target.protocol === 'https:' ? read('HTTPS_PROXY') : read('HTTP_PROXY');
  if (address === undefined) return undefined;
  return new URL(address.includes('://') ? address : `http://${address}`);
}

function noProxy(list: string): string[] {
  return list.split(/[\s,]+/).filter((entry) => entry !== '');
}

/** `*`, `host`, `.domain`, `*.domain`, each with an optional port; a plain name covers its subdomains too, as in curl. */
function covers(entry: string, target: URL): boolean {
  if (entry === '*') return true;
  const [, name = '', port] = /^(?:\*?\.)?(.*?)(?::(\d+))?$/.exec(entry.toLowerCase()) ?? [];
  if (port !== undefined && port !== portOf(target)) return false;
  return target.hostname === name || target.hostname.endsWith(`.${name}`);
}

function portOf({ port, protocol }: URL): string {
  return port || (protocol === 'https:' ? '443' : '80');
}
