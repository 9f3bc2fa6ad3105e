import { PlumblineError } from '#core/errors.ts';
import type { Cloud } from '#identity/cloud.ts';

/** Key Vault: 3 to 24 characters, begins with a letter, ends with a letter or digit, no two hyphens in a row. */
const NAME = /^[a-z](?!.*--)[a-z0-9-]{1,22}[a-z0-9]$/i;

export interface VaultLocation {
  readonly cloud: Cloud;
  /** `AzureKeyVaultDnsSuffix` of the connection; taken only when it is one of the cloud's own. */
  readonly dnsSuffix?: string | undefined;
}

/**
 * The address of a vault from its name or its own address, e.g. `https://myvault.vault.azure.net`. A token is sent there,
 * so only the cloud's vaults are accepted.
 *
 * @throws {PlumblineError} `ERR_INPUT_INVALID` for what is neither; `ERR_IDENTITY_HOST_NOT_ALLOWED` for another host.
 */
export function vaultAddress(vault: string, location: VaultLocation): string {
  const given = vault.trim();
  if (NAME.test(given)) return `https://${given.toLowerCase()}.${suffixOf(location)}`;
  const url = URL.canParse(given) ? new URL(given) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) throw unreadable(given);
  const suffix = location.cloud.vaultSuffixes.find((one) => url.hostname.endsWith(`.${one}`));
  const name = suffix && url.hostname.slice(0, -suffix.length - 1);
  const bare = url.protocol === 'https:' && !url.port && !url.username && !url.password && url.pathname === '/';
  if (name && NAME.test(name) && bare && !url.search) return url.origin;
  throw foreign(url, location);
}

function suffixOf({ cloud, dnsSuffix }: VaultLocation): string {
  const wanted =
    dnsSuffix
      ?.trim()
      .replace(/^\.|\.$/g, '')
      .toLowerCase() || undefined;
  if (wanted === undefined) return cloud.vaultSuffixes[0] ?? '';
  if (cloud.vaultSuffixes.includes(wanted)) return wanted;
  throw new PlumblineError(
    'ERR_IDENTITY_HOST_NOT_ALLOWED',
    `Will not send a token to vaults under '${wanted}': they do not belong to ${cloud.name}`,
    { remedy: 'Correct AzureKeyVaultDnsSuffix in the data of the service connection.', details: { suffix: wanted } },
  );
}

function unreadable(given: string): PlumblineError {
  return new PlumblineError(
    'ERR_INPUT_INVALID',
    `'${given.slice(0, 80)}' is neither the name nor the address of a key vault`,
    {
      remedy: "Write the vault's name, e.g. 'my-vault', or its address, e.g. 'https://my-vault.vault.azure.net'.",
    },
  );
}

function foreign(url: URL, { cloud }: VaultLocation): PlumblineError {
  const suffixes = cloud.vaultSuffixes.map((suffix) => `https://<name>.${suffix}`).join(' or ');
  return new PlumblineError(
    'ERR_IDENTITY_HOST_NOT_ALLOWED',
    `Will not send a token to '${url.origin}': it is no key vault of ${cloud.name}`,
    {
      remedy: `Use the vault's name, or its address as ${suffixes} with nothing after it.`,
      details: { host: url.host },
    },
  );
}
