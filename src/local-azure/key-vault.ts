import { randomUUID } from 'node:crypto';
import type { Clock } from '#core/clock.ts';
import { bearer, type Incoming, type Reply, type Service } from './exchange.ts';
import type { SigningKey } from './signing-key.ts';
import { authorizeCaller, type VaultOperation } from './vault-authorization.ts';
import { authenticateCaller, challenge } from './vault-caller.ts';
import { badParameter, secretNotFound, VaultError } from './vault-error.ts';
import { keyTarget } from './vault-key-target.ts';
import { VaultKeys } from './vault-keys.ts';
import type { Vault, VaultSecret, VaultSecretVersion } from './world.ts';

const API_VERSION = /^(2016-10-01|7\.[0-6]|20\d\d-\d\d-\d\d)(-preview(\.\d+)?)?$/;
const SECRET_NAME = /^[0-9a-zA-Z-]{1,127}$/;
const MAX_RESULTS = 25;

export interface KeyVaultOptions {
  readonly vault: Vault;
  readonly key: SigningKey;
  readonly clock: Clock;
}

/** What a request is for, and the answer to whoever may have it. */
export interface Target {
  readonly operation: VaultOperation;
  readonly name?: string | undefined;
  readonly version?: string | undefined;
  readonly answer: () => unknown;
}

/**
 * One vault: its keys, and its secrets, read only, because no role that it knows may write one. An expired or not yet valid secret is readable, its
 * attributes say so ("About Azure Key Vault secrets", Date-time controlled operations).
 */
export class KeyVault implements Service {
  readonly #options: KeyVaultOptions;
  readonly #keys: VaultKeys;

  constructor(options: KeyVaultOptions) {
    this.#options = options;
    this.#keys = new VaultKeys(options.vault, options.clock);
  }

  async handle(request: Incoming): Promise<Reply> {
    const { vault } = this.#options;
    const headers = {
      'x-ms-keyvault-region': 'westeurope',
      'x-ms-request-id': randomUUID(),
      'x-ms-keyvault-service-version': '1.9.0',
      'x-ms-keyvault-network-info': 'conn_type=Ipv4;addr=203.0.113.7;act_addr_fam=InterNetwork;',
      'cache-control': 'no-cache',
    };
    try {
      return { status: 200, headers, body: await this.#answer(request) };
    } catch (error) {
      if (!(error instanceof VaultError)) throw error;
      const asks = error.status === 401 ? challenge(vault) : {};
      return { ...error.reply(), headers: { ...headers, ...asks } };
    }
  }

  failure(status: number): Reply {
    if (status === 429) {
      return new VaultError(
        429,
        'Throttled',
        'Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached',
      ).reply();
    }
    return new VaultError(
      status,
      status === 503 ? 'ServiceUnavailable' : 'InternalServerError',
      'The service cannot answer this request right now.',
    ).reply();
  }

  async #answer(request: Incoming): Promise<unknown> {
    const { vault, key, clock } = this.#options;
    const caller = await authenticateCaller(bearer(request.headers), vault, key, clock.now());
    checkApiVersion(request.url);
    const target = this.#target(request);
    authorizeCaller(caller, vault, target.operation, target.name);
    return target.answer();
  }

  #target(request: Incoming): Target {
    const { method, url } = request;
    const [collection, name, version] = url.pathname.split('/').filter(Boolean).map(decodeURIComponent);
    if (name !== undefined && !SECRET_NAME.test(name))
      throw badParameter(`The request URI contains an invalid name: ${name}`);
    if (collection === 'keys') return keyTarget(request, this.#keys, page);
    if (collection === 'secrets') return this.#secretTarget(method, url, name, version);
    if (collection === 'deletedsecrets' && method === 'GET' && name !== undefined)
      return { operation: 'get', name, answer: () => this.#deleted(name) };
    throw new VaultError(404, 'NotFound', `The resource ${url.pathname} does not exist.`);
  }

  #secretTarget(method: string, url: URL, name: string | undefined, version: string | undefined): Target {
    if (method === 'GET' && name === undefined)
      return {
        operation: 'list',
        answer: () =>
          page(
            this.#live().map((secret) => this.#item(secret)),
            url,
          ),
      };
    if (method === 'GET' && version === 'versions')
      return { operation: 'list', name, answer: () => page(this.#versions(name as string), url) };
    if (method === 'GET') return { operation: 'get', name, version, answer: () => this.#read(name as string, version) };
    if (method === 'PUT' || method === 'PATCH') return { operation: 'set', name, answer: () => undefined };
    if (method === 'DELETE') return { operation: 'delete', name, answer: () => undefined };
    throw new VaultError(405, 'MethodNotAllowed', `The method ${method} is not allowed.`);
  }

  #live(): VaultSecret[] {
    return [...this.#options.vault.secrets.values()].filter(({ deleted }) => !deleted);
  }

  #find(name: string): VaultSecret {
    const secret = this.#options.vault.secrets.get(name.toLowerCase());
    if (secret === undefined || secret.deleted) throw secretNotFound(name);
    return secret;
  }

  #read(name: string, wanted: string | undefined): unknown {
    const secret = this.#find(name);
    const version =
      wanted === undefined ? secret.versions.at(-1) : secret.versions.find(({ version: each }) => each === wanted);
    if (version === undefined) throw secretNotFound(`${name}/${wanted}`);
    if (!version.enabled)
      throw new VaultError(403, 'Forbidden', 'Operation get is not allowed on a disabled secret.', 'SecretDisabled');
    return { value: version.value, ...this.#described(secret, version, `/${version.version}`) };
  }

  #versions(name: string): unknown[] {
    const secret = this.#find(name);
    return secret.versions.map((version) => this.#described(secret, version, `/${version.version}`));
  }

  #item(secret: VaultSecret): unknown {
    return this.#described(secret, secret.versions.at(-1) as VaultSecretVersion, '');
  }

  #deleted(name: string): unknown {
    const secret = this.#options.vault.secrets.get(name.toLowerCase());
    if (!secret?.deleted) throw secretNotFound(name);
    return {
      recoveryId: `https://${this.#options.vault.host}/deletedsecrets/${secret.name}`,
      ...(this.#item(secret) as object),
    };
  }

  #described({ name }: VaultSecret, version: VaultSecretVersion, suffix: string): Record<string, unknown> {
    const { contentType, expires, notBefore, created, enabled, tags } = version;
    return {
      ...(contentType !== undefined && { contentType }),
      id: `https://${this.#options.vault.host}/secrets/${name}${suffix}`,
      attributes: {
        enabled,
        ...(notBefore !== undefined && { nbf: notBefore }),
        ...(expires !== undefined && { exp: expires }),
        created,
        updated: created,
        recoveryLevel: 'Recoverable+Purgeable',
        recoverableDays: 90,
      },
      tags,
    };
  }
}

function checkApiVersion(url: URL): void {
  const version = url.searchParams.get('api-version');
  if (version === null) throw badParameter('api-version must be specified');
  if (!API_VERSION.test(version))
    throw badParameter(
      `The specified version (${version}) is not recognized. Consider using the latest supported version (2026-04-01).`,
    );
}

/** Pages of `maxresults`, 25 at most, linked by `nextLink`. */
function page(items: readonly unknown[], url: URL): unknown {
  const size = Number(url.searchParams.get('maxresults') ?? MAX_RESULTS);
  if (!Number.isInteger(size) || size < 1 || size > MAX_RESULTS)
    throw badParameter(`The request URI contains an invalid maxresults: it must be between 1 and ${MAX_RESULTS}`);
  const start = Number(url.searchParams.get('$skiptoken') ?? 0);
  const next = new URL(url);
  next.searchParams.set('$skiptoken', String(start + size));
  return { value: items.slice(start, start + size), nextLink: start + size < items.length ? next.href : null };
}
