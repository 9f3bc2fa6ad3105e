import type * as library from 'openid-client';
import type { Clock } from '#core/clock.ts';
import type { JsonValue } from '#core/json.ts';
import type { Secret } from '#core/secret.ts';
import type { Http } from '#http/http.ts';
import type { SignInConfig } from '../config/gateway-config.ts';
import { failureOf } from './failure-of.ts';
import { checkAddress, providerFetch } from './provider-fetch.ts';
import { SignInFailure } from './sign-in-failure.ts';
import type { SignInFlow } from './sign-in-flows.ts';

export interface ProviderSettings {
  readonly config: Pick<SignInConfig, 'issuer' | 'clientId' | 'scopes'>;
  /** Asked for each sign-in, so that a renewed one needs no restart. Absent: a public client. */
  readonly secret?: (() => Secret) | undefined;
  readonly http: Http;
  readonly clock: Pick<Clock, 'now'>;
}

/** What an ID token says of a person, without what belongs to the sign-in alone. */
export type PersonClaims = Readonly<Record<string, JsonValue>>;

type Library = typeof library;

interface Known {
  readonly client: Library;
  readonly provider: library.Configuration;
  readonly until: number;
}

/** Its addresses move seldom; its keys are looked up by the library as it needs them. */
const KNOWN_FOR_MS = 3_600_000;
/** Sign-ins that are finished at the same time. */
const MAX_AT_ONCE = 64;
const OF_THE_FLOW: ReadonlySet<string> = new Set(['nonce', 'at_hash', 'c_hash', 's_hash']);

/**
 * The provider at which people sign in, by OpenID Connect's code flow with PKCE. Nothing is asked of it before somebody signs in,
 * so that a provider that is away keeps nothing from starting; when it is back the next sign-in works.
 *
 * All methods throw {@link SignInFailure}. Tokens are gone when a method returns.
 */
export class IdentityProvider {
  readonly #settings: ProviderSettings;
  #known: Known | undefined;
  #opening: Promise<Known> | undefined;
  #busy = 0;

  constructor(settings: ProviderSettings) {
    this.#settings = settings;
  }

  /** Where the browser goes to sign in. */
  async authorizationUrl({ state, nonce, verifier }: SignInFlow, redirectUri: string): Promise<URL> {
    const { client, provider } = await this.#open();
    return client.buildAuthorizationUrl(provider, {
      redirect_uri: redirectUri,
      scope: this.#settings.config.scopes.join(' '),
      response_mode: 'query',
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state,
      nonce,
    });
  }

  /**
   * Who came back. The answer's `state` and `iss`, and issuer, audience, times, nonce and signature of the ID token are checked.
   *
   * @param callback the redirect URI with the query that the browser brought
   */
  async personClaims(callback: URL, { state, nonce, verifier }: SignInFlow): Promise<PersonClaims> {
    if (this.#busy >= MAX_AT_ONCE) throw new SignInFailure('busy');
    this.#busy += 1;
    try {
      const { client, provider } = await this.#open();
      const checks = { expectedState: state, expectedNonce: nonce, pkceCodeVerifier: verifier };
      const tokens = await client.authorizationCodeGrant(provider, callback, checks);
      return withoutFlow(tokens.claims());
    } catch (thrown) {
      const failure = failureOf(thrown);
      // Perhaps it has moved.
      if (failure.isUnavailable) this.#known = undefined;
      throw failure;
    } finally {
      this.#busy -= 1;
    }
  }

  /** At most one discovery at a time, however many wait for it. */
  async #open(): Promise<Known> {
    const known = this.#known;
    if (known !== undefined && this.#settings.clock.now() < known.until) return known;
    this.#opening ??= this.#discover().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #discover(): Promise<Known> {
    const { config, http, clock } = this.#settings;
    const client = await import('openid-client');
    const issuer = new URL(config.issuer);
    // The signature is checked too, not only that TLS has brought the token.
    const execute = [client.enableNonRepudiationChecks];
    if (issuer.protocol === 'http:') execute.push(client.allowInsecureRequests);
    const options = { execute, [client.customFetch]: providerFetch(http, config.issuer) };
    try {
      const provider = await client.discovery(
        issuer,
        config.clientId,
        undefined,
        this.#authentication(client),
        options,
      );
      checkMetadata(provider.serverMetadata(), config.issuer);
      this.#known = { client, provider, until: clock.now() + KNOWN_FOR_MS };
      return this.#known;
    } catch (thrown) {
      throw failureOf(thrown, 'discovery');
    }
  }

  /** RFC 6749 wants Basic understood by everybody, and some providers know the form alone. */
  #authentication(client: Library): library.ClientAuth {
    const { secret } = this.#settings;
    if (secret === undefined) return client.None();
    return (server, metadata, body, headers) => {
      const methods = server.token_endpoint_auth_methods_supported ?? ['client_secret_basic'];
      const make = methods.includes('client_secret_basic') ? client.ClientSecretBasic : client.ClientSecretPost;
      return make(secret().reveal())(server, metadata, body, headers);
    };
  }
}

/** The library lets Entra's `common` and `organizations` speak for every tenant there is; here the issuer is the one that is named. */
function checkMetadata(found: Readonly<library.ServerMetadata>, issuer: string): void {
  if (URL.parse(found.issuer)?.href !== new URL(issuer).href)
    throw new SignInFailure(
      'discovery',
      `its document names the issuer ${found.issuer}, and the configuration ${issuer}`,
    );
  for (const address of [found.authorization_endpoint, found.token_endpoint, found.jwks_uri])
    checkAddress(address, issuer);
}

function withoutFlow(claims: library.IDToken | undefined): PersonClaims {
  if (claims === undefined) throw new SignInFailure('id-token', 'there is none');
  return Object.fromEntries(Object.entries(claims).filter(([name]) => !OF_THE_FLOW.has(name))) as PersonClaims;
}
