import type { Incoming } from './exchange.ts';
import type { Target } from './key-vault.ts';
import { badParameter, VaultError } from './vault-error.ts';
import type { VaultKeys } from './vault-keys.ts';

/** What a request under `/keys` is for: https://learn.microsoft.com/rest/api/keyvault/keys. */
export function keyTarget(
  request: Incoming,
  keys: VaultKeys,
  page: (items: readonly unknown[], url: URL) => unknown,
): Target {
  const { method, url } = request;
  const [, name, ...rest] = url.pathname.split('/').filter(Boolean).map(decodeURIComponent);
  if (name === undefined)
    return allowed(method, 'GET', { operation: 'keys/list', answer: () => page(keys.list(), url) });
  if (method === 'GET') return readTarget(name, rest, keys, (items) => page(items, url));
  const parameters = () => jsonOf(request);
  if (method === 'PATCH') {
    const answer = () => keys.update(name, rest[0], parameters());
    return { operation: 'keys/update', name, version: rest[0], answer };
  }
  if (method === 'DELETE') return { operation: 'keys/delete', name, answer: () => undefined };
  return allowed(method, 'POST', operationTarget(name, rest, keys, parameters));
}

function readTarget(
  name: string,
  [version]: readonly string[],
  keys: VaultKeys,
  page: (items: readonly unknown[]) => unknown,
): Target {
  if (version === 'versions') return { operation: 'keys/list', name, answer: () => page(keys.versions(name)) };
  return { operation: 'keys/get', name, version, answer: () => keys.read(name, version) };
}

function operationTarget(
  name: string,
  rest: readonly string[],
  keys: VaultKeys,
  parameters: () => Readonly<Record<string, unknown>>,
): Target {
  const word = rest.at(-1);
  const version = rest.length > 1 ? rest[0] : undefined;
  if (rest.length === 1 && word === 'create')
    return { operation: 'keys/create', name, answer: () => keys.create(name, parameters()) };
  if (rest.length === 1 && word === 'rotate')
    return { operation: 'keys/rotate', name, answer: () => keys.rotate(name) };
  if (rest.length <= 2 && word === 'sign')
    return { operation: 'keys/sign', name, version, answer: () => keys.sign(name, version, parameters()) };
  throw new VaultError(404, 'NotFound', `The resource /keys/${[name, ...rest].join('/')} does not exist.`);
}

function allowed(method: string, only: string, target: Target): Target {
  if (method === only) return target;
  throw new VaultError(405, 'MethodNotAllowed', `The method ${method} is not allowed.`);
}

function jsonOf({ headers, body }: Incoming): Readonly<Record<string, unknown>> {
  if (!/^application\/json\b/i.test(headers['content-type'] ?? ''))
    throw new VaultError(415, 'UnsupportedMediaType', 'The content type of the request must be application/json.');
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Falls through to the refusal.
  }
  throw badParameter('The request body is not a valid JSON object.');
}
