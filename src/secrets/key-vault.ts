import type { KeyVaultSecret, SecretClient } from '@azure/keyvault-secrets';
import { type Clock, systemClock } from '#core/clock.ts';
import { PlumblineError } from '#core/errors.ts';
import { Secret } from '#core/secret.ts';
import { azureHttpClient } from '#http/azure-http-client.ts';
import type { Http } from '#http/http.ts';
import type { SecretReference } from './secret-reference.ts';
import { vaultCredential } from './vault-credential.ts';
import { asVaultAnswer, type VaultAnswer, vaultError } from './vault-error.ts';
import type { VaultReader } from './vault-reader.ts';

/** A secret that was read. Everything but `value` may be shown. */
export interface VaultSecret {
  readonly vault: string;
  readonly name: string;
  /** The version that was read, also when none was asked for. */
  readonly version: string;
  readonly value: Secret;
  /** Whole sentences for the pipeline's author, e.g. that it has expired. */
  readonly warnings: readonly string[];
}

export interface KeyVault {
  /**
   * Reads the secrets, at most four at a time, in the order asked for. Each is masked on the line after it arrived.
   *
   * @throws {PlumblineError} for the first that cannot be had: `ERR_SECRET_NOT_FOUND`, `…_FORBIDDEN`, `…_DISABLED`,
   *   `…_NOT_YET_VALID`, `…_UNUSABLE`, `ERR_VAULT_THROTTLED`, `ERR_VAULT_UNREACHABLE`, and what the identity throws.
   */
  read(references: readonly SecretReference[], signal?: AbortSignal): Promise<readonly VaultSecret[]>;
}

export interface KeyVaultOptions {
  /** From `vaultAddress`. */
  readonly address: string;
  readonly identity: VaultReader;
  readonly http: Http;
  readonly mask: (secret: Secret) => void;
  readonly clock?: Clock | undefined;
}

const CONCURRENCY = 4;

export function keyVault(options: KeyVaultOptions): KeyVault {
  return {
    read: async (references, signal) => {
      if (references.length === 0) return [];
      const client = await clientOf(options);
      // One reader goes first, so that the others find the token and the vault's challenge answered.
      const [head, ...rest] = references.map((reference) => () => readOne(client, reference, options, signal));
      if (head === undefined) return [];
      return [await head(), ...(await inOrder(rest, CONCURRENCY))];
    },
  };
}

async function clientOf({ address, identity, http }: KeyVaultOptions): Promise<SecretClient> {
  const { secretClient } = await import('#identity/azure-sdk.ts');
  return secretClient(address, vaultCredential(identity, address), {
    httpClient: azureHttpClient(http),
    retryOptions: { maxRetries: 0 },
  });
}

async function readOne(
  client: SecretClient,
  reference: SecretReference,
  options: KeyVaultOptions,
  signal: AbortSignal | undefined,
): Promise<VaultSecret> {
  const { name, version } = reference;
  let answer: VaultAnswer | undefined;
  try {
    const secret = await client.getSecret(name, {
      ...(version !== undefined && { version }),
      ...(signal && { abortSignal: signal }),
      onResponse: (raw) => {
        answer = asVaultAnswer(raw.status, raw.bodyAsText);
      },
    });
    return usable(secret, reference, options);
  } catch (thrown) {
    signal?.throwIfAborted();
    throw vaultError(thrown, answer, { address: options.address, reference, identity: options.identity });
  }
}

function usable(
  { value, properties }: KeyVaultSecret,
  reference: SecretReference,
  { address, mask, clock = systemClock }: KeyVaultOptions,
): VaultSecret {
  const secret = new Secret(value ?? '');
  mask(secret);
  const { name, version = '', notBefore, expiresOn } = properties;
  const which = `secret '${name}' (version ${version}) in ${address}`;
  if (secret.reveal() === '') {
    throw new PlumblineError('ERR_SECRET_UNUSABLE', `Cannot use ${which}: its value is empty`, {
      remedy: 'Set a value, or remove the secret from the input.',
      details: { vault: address, secret: reference.name, version },
    });
  }
  if (notBefore && notBefore.getTime() > clock.now()) {
    // The service gives it out all the same, "for test purposes" (About Azure Key Vault secrets, date-time controlled operations).
    throw new PlumblineError(
      'ERR_SECRET_NOT_YET_VALID',
      `Will not use ${which}: it is not valid before ${notBefore.toISOString()}`,
      {
        remedy: "Correct its activation date, or name the version that is valid now as 'name/version'.",
        details: { vault: address, secret: reference.name, version, notBefore: notBefore.toISOString() },
      },
    );
  }
  const expired = expiresOn !== undefined && expiresOn.getTime() <= clock.now();
  const warnings = expired ? [`The ${which} expired on ${expiresOn.toISOString()}; it was used all the same.`] : [];
  return { vault: address, name, version, value: secret, warnings };
}

/** Runs the jobs, so many at a time, and gives the results in order; stops starting more after the first failure. */
async function inOrder<T>(jobs: readonly (() => Promise<T>)[], concurrency: number): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  const runner = async () => {
    for (let index = next++; index < jobs.length; index = next++)
      results[index] = await (jobs[index] as () => Promise<T>)();
  };
  const stopping = async () => {
    try {
      await runner();
    } catch (thrown) {
      next = jobs.length;
      throw thrown;
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, jobs.length) }, stopping));
  return results;
}
