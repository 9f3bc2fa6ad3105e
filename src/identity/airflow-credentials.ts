import type { Secret } from '#core/secret.ts';

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

/** An API token as a bearer token, for both versions. */
export function tokenCredentials(token: SecretSource, mask: (secret: Secret) => void): AirflowCredentials {
  return {
    headers: async (_api, signal) => {
      const secret = await token.read(signal);
      mask(secret);
      return { authorization: `Bearer ${secret.reveal()}` };
    },
    refused: () => token.refused(),
  };
}
