import { PlumblineError } from '#core/errors.ts';
import { Secret } from '#core/secret.ts';

/** How a caller proves to an Airflow who it is; `v1` is the API of Airflow 2, `v2` that of Airflow 3. */
export interface AirflowCredentials {
  /**
   * Headers for one request, with a credential that lives long enough for it.
   * @throws {PlumblineError} `ERR_AIRFLOW_*`, `ERR_IDENTITY_*`, `ERR_GATEWAY_*`, `ERR_SECRET_*`, `ERR_VAULT_*`, `ERR_HTTP_*`
   */
  headers(api: 'v1' | 'v2', signal: AbortSignal): Promise<Readonly<Record<string, string>>>;
  /** The server did not accept it: the next headers are made from a new one. */
  refused(): void;
}

/** Where a token or password comes from. `refused`: the next one is read anew, where that is possible. */
export interface SecretSource {
  read(signal: AbortSignal): Promise<Secret>;
  refused(): void;
}

/** A secret that is known and stays what it is. */
export function fixedSecret(secret: Secret): SecretSource {
  return { read: async () => secret, refused: () => {} };
}

/** A secret that is read when first needed, once, and again after it was refused. */
export function readSecret(read: (signal: AbortSignal) => Promise<Secret>): SecretSource {
  let known: Promise<Secret> | undefined;
  const forget = () => {
    known = undefined;
  };
  const reading = (signal: AbortSignal) => {
    const started = read(signal);
    started.catch(() => {
      if (known === started) forget();
    });
    return started;
  };
  return {
    read: (signal) => {
      known ??= reading(signal);
      return known;
    },
    refused: forget,
  };
}

/** What is made of a secret is made, and masked, once: each masking is a line for the agent to read. */
export function oncePerSecret(make: (secret: Secret) => Secret): (secret: Secret) => Secret {
  let last: { readonly of: Secret; readonly made: Secret } | undefined;
  return (secret) => {
    if (last?.of !== secret) last = { of: secret, made: make(secret) };
    return last.made;
  };
}

/** What a header takes. */
const TOKEN = /^[\x21-\x7e]+$/;

/** Whoever keeps a token in a file or a vault easily keeps the end of its line with it. */
function bareToken(secret: Secret): Secret {
  const bare = secret.reveal().trim();
  if (TOKEN.test(bare)) return new Secret(bare);
  throw new PlumblineError(
    'ERR_CONNECTION_UNSUPPORTED',
    'Cannot use the token for Airflow: it is empty, or has spaces, line ends or letters beyond ASCII in it, which no token has',
    { remedy: 'Put the token itself into the connection, or into the secret that credentialSecret names.' },
  );
}

/** An API token as a bearer token, for both versions. @throws {PlumblineError} `ERR_CONNECTION_UNSUPPORTED` when it is none */
export function tokenCredentials(token: SecretSource, mask: (secret: Secret) => void): AirflowCredentials {
  const bareOf = oncePerSecret((secret) => {
    mask(secret);
    const bare = bareToken(secret);
    mask(bare);
    return bare;
  });
  return {
    headers: async (_api, signal) => ({ authorization: `Bearer ${bareOf(await token.read(signal)).reveal()}` }),
    refused: () => token.refused(),
  };
}
