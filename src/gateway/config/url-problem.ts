import type { FieldPath } from './yaml-source.ts';

/** Notes a problem of a field. */
export type Complain = (path: FieldPath, message: string) => void;

/** Why a URL cannot be used for anything of the gateway. */
export function urlProblem(url: URL | null): string | undefined {
  if (url === null || !/^https?:$/.test(url.protocol)) return 'must be a URL that begins with https:// or http://';
  return url.username || url.password ? 'must have no user info: it would be seen by others' : undefined;
}

/** Why a URL cannot be an issuer's, where whoever stands between could change keys. */
export function issuerUrlProblem(url: URL | null): string | undefined {
  const why = urlProblem(url);
  if (why !== undefined) return why;
  if (url?.search || url?.hash) return 'must have no query and no fragment';
  return url?.protocol === 'https:' || isLoopback(url?.hostname ?? '') ? undefined : 'must begin with https://';
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host);
}
