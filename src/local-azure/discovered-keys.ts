import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import type { JSONWebKeySet, JWK } from 'jose';
import type { Clock } from '#core/clock.ts';
import type { DiscoveredIssuerDeclaration } from './declaration.ts';
import { EntraError } from './entra-error.ts';
import type { RecordedExchange } from './exchange.ts';

const LARGEST_DOCUMENT = 100 * 1024;
/** Entra ID stores no more keys of an issuer than these. */
const MOST_KEYS = 100;
const KEEP_MS = 24 * 3_600_000;
/** A key that is not there is not looked for again at once. */
const MISSED_MS = 60_000;
const PATIENCE_MS = 5_000;
const PRIVATE_PARTS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

export interface DiscoveredKeysOptions {
  readonly declared: DiscoveredIssuerDeclaration;
  readonly clock: Clock;
  /** Told of every document that was asked for. */
  readonly record: (exchange: RecordedExchange) => void;
}

/**
 * The keys of an issuer, read from its own discovery document over TLS as Entra ID reads them: when they are first needed, when a
 * token names a key that is not among them, and once a day.
 */
export class DiscoveredKeys {
  readonly #options: DiscoveredKeysOptions;
  readonly #missed = new Map<string, number>();
  #known: { readonly set: JSONWebKeySet; readonly at: number } | undefined;
  #fetching: Promise<JSONWebKeySet> | undefined;

  constructor(options: DiscoveredKeysOptions) {
    this.#options = options;
  }

  /** @throws EntraError 50166 with the reason, when the issuer cannot be asked or what it publishes cannot be used. */
  async keys(kid: string | undefined): Promise<JSONWebKeySet> {
    const known = this.#fresh();
    if (known !== undefined && (hasKey(known, kid) || this.#wasMissed(kid))) return known;
    this.#fetching ??= this.#fetch().finally(() => {
      this.#fetching = undefined;
    });
    const set = await this.#fetching;
    if (kid !== undefined && !hasKey(set, kid)) this.#missed.set(kid, this.#options.clock.now());
    return set;
  }

  #fresh(): JSONWebKeySet | undefined {
    if (this.#known === undefined || this.#options.clock.now() - this.#known.at >= KEEP_MS) return undefined;
    return this.#known.set;
  }

  #wasMissed(kid: string | undefined): boolean {
    const at = this.#missed.get(kid ?? '');
    return at !== undefined && this.#options.clock.now() - at < MISSED_MS;
  }

  async #fetch(): Promise<JSONWebKeySet> {
    const { declared, clock } = this.#options;
    const document = await this.#get(new URL(`${declared.issuer}/.well-known/openid-configuration`));
    const set = usableKeys(await this.#get(keysAddress(document, declared.issuer)));
    this.#known = { set, at: clock.now() };
    return set;
  }

  async #get(url: URL): Promise<Readonly<Record<string, unknown>>> {
    const { declared, clock, record } = this.#options;
    const at = clock.now();
    let status = 0;
    try {
      const answer = await get(url, declared.discovery);
      status = answer.status;
      return parsed(answer, url);
    } finally {
      record({ host: url.host, method: 'GET', path: url.pathname + url.search, status, at, fault: false });
    }
  }
}

function hasKey({ keys }: JSONWebKeySet, kid: string | undefined): boolean {
  return kid === undefined || keys.some((key) => key.kid === kid);
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

/** By the issuer's own name, to the declared address: what name service does for the real one. No redirect is followed. */
function get(url: URL, { address, caFile }: DiscoveredIssuerDeclaration['discovery']): Promise<Answer> {
  const { hostname: host, port } = new URL(`tcp://${address}`);
  return new Promise((resolve, reject) => {
    const failed = (why: string) => reject(unusable(url, why));
    const options = {
      ...{ host, port, path: url.pathname + url.search, servername: url.hostname, ca: readFileSync(caFile) },
      ...{ agent: false as const, timeout: PATIENCE_MS, minVersion: 'TLSv1.2' as const },
      headers: { host: url.host, accept: 'application/json' },
    };
    const asked = request(options, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        body += part;
        if (body.length > LARGEST_DOCUMENT) asked.destroy(new Error(`it is larger than ${LARGEST_DOCUMENT} bytes`));
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, type: response.headers['content-type'] ?? '', body }),
      );
    });
    asked.on('timeout', () => asked.destroy(new Error(`no answer within ${PATIENCE_MS} ms`)));
    asked.on('error', (error) => failed(error.message)).end();
  });
}

function parsed({ status, type, body }: Answer, url: URL): Readonly<Record<string, unknown>> {
  if (status !== 200) throw unusable(url, `it was answered with ${status}`);
  if (!/^application\/(?:[\w.+-]+\+)?json\b/.test(type)) throw unusable(url, `its type is '${type}'`);
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // Told below, with what is no object.
  }
  throw unusable(url, 'it is no JSON object');
}

/** The fields that OpenID Connect Discovery 1.0 requires, as far as an issuer without sign-in has them. */
function keysAddress(document: Readonly<Record<string, unknown>>, issuer: string): URL {
  const own = new URL(issuer);
  const no = (why: string) => unusable(own, why);
  if (document['issuer'] !== issuer) throw no(`its document says that the issuer is '${document['issuer']}'`);
  for (const field of ['response_types_supported', 'subject_types_supported', 'id_token_signing_alg_values_supported'])
    if (!Array.isArray(document[field])) throw no(`its document has no ${field}`);
  if (!(document['id_token_signing_alg_values_supported'] as unknown[]).includes('RS256'))
    throw no('it does not sign with RS256');
  const address = URL.parse(String(document['jwks_uri']));
  if (address?.protocol !== 'https:' || address.host !== own.host)
    throw no(`its keys are at '${document['jwks_uri']}'; here only ${own.host} can be reached`);
  return address;
}

function usableKeys(document: Readonly<Record<string, unknown>>): JSONWebKeySet {
  const { keys } = document;
  if (!Array.isArray(keys)) throw new EntraError(50166, 'Request to External OIDC endpoint failed: it has no keys.');
  const secret = (keys as JWK[]).find((key) => PRIVATE_PARTS.some((part) => part in key));
  // No message of the service is known for this. A stand-in that looked away would hide the worst fault that an issuer can have.
  if (secret) throw new EntraError(50166, `The issuer publishes the private part of its key ${secret.kid}.`);
  return { keys: (keys as JWK[]).slice(0, MOST_KEYS) };
}

function unusable(url: URL, why: string): EntraError {
  return new EntraError(50166, `Request to External OIDC endpoint failed. ${url.href}: ${why}.`);
}
