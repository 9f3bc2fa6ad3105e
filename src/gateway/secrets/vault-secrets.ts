import type { Clock } from '#core/clock.ts';
import type { Http } from '#http/http.ts';
import type { MachineIdentity } from '#identity/machine-identity.ts';
import { type KeyVault, keyVault, type VaultSecret } from '#secrets/key-vault.ts';
import { vaultAddress } from '#secrets/vault-address.ts';
import type { SecretGrant } from '../policy/role.ts';
import type { GrantedSecret, SecretReader } from '../runs/run-collaborators.ts';

export interface VaultSecretsOptions {
  /** The gateway's own. */
  readonly identity: MachineIdentity;
  readonly http: Http;
  readonly clock?: Clock | undefined;
  /** Whole sentences for the operator, e.g. that a secret has expired. Never a value. */
  readonly warn?: ((message: string) => void) | undefined;
}

/**
 * Reads what roles grant from Key Vault, under the gateway's own identity: whoever asks for the run never holds it. Every
 * start reads anew, so that a secret that was changed or taken away is so at once.
 */
export function vaultSecrets(options: VaultSecretsOptions): SecretReader {
  const vaults = new Map<string, KeyVault>();
  return {
    read: async (grants, signal) => {
      const read = new Map<SecretGrant, GrantedSecret>();
      for (const [address, wanted] of byVault(grants, options.identity)) {
        const secrets = await vaultAt(address, vaults, options).read(wanted.map(referenceOf), signal);
        for (const [index, grant] of wanted.entries()) read.set(grant, granted(grant, secrets[index], options));
      }
      return grants.map((grant) => read.get(grant)).filter((secret) => secret !== undefined);
    },
  };
}

/** A token goes to vaults of the gateway's own cloud only; another address is refused before anything is asked. */
function byVault(grants: readonly SecretGrant[], { cloud }: MachineIdentity): ReadonlyMap<string, SecretGrant[]> {
  const groups = new Map<string, SecretGrant[]>();
  for (const grant of grants) {
    const address = vaultAddress(grant.vault, { cloud });
    groups.set(address, [...(groups.get(address) ?? []), grant]);
  }
  return groups;
}

function vaultAt(address: string, vaults: Map<string, KeyVault>, options: VaultSecretsOptions): KeyVault {
  const known = vaults.get(address);
  if (known) return known;
  const { identity, http, clock } = options;
  // Nothing of ours prints a value: a Secret shows itself as asterisks.
  const vault = keyVault({ address, identity, http, mask: () => {}, clock });
  vaults.set(address, vault);
  return vault;
}

function referenceOf({ secret, version }: SecretGrant) {
  return { name: secret, version };
}

function granted(grant: SecretGrant, secret: VaultSecret | undefined, { warn }: VaultSecretsOptions): GrantedSecret {
  if (!secret) throw new TypeError(`The vault gave no answer for secret '${grant.secret}'.`);
  for (const warning of secret.warnings) warn?.(warning);
  return { grant, vault: secret.vault, version: secret.version, value: secret.value };
}
