import { CLOUDS } from './clouds.ts';
import type {
  AzureDeclaration,
  KeyDeclaration,
  KeyVersionDeclaration,
  SecretDeclaration,
  SecretVersionDeclaration,
  VaultDeclaration,
} from './declaration.ts';
import { derivedGuid } from './derived-guid.ts';
import type { Resolver } from './resolve-world.ts';
import type { Vault, VaultKey, VaultKeyVersion, VaultSecret, VaultSecretVersion } from './world.ts';

const DEFAULT_CREATED = '2026-01-01T00:00:00Z';

export function resolveVaults(declaration: AzureDeclaration, resolver: Resolver): Vault[] {
  const declared = declaration.vaults ?? [];
  for (const { vault, identity } of declaration.roleAssignments ?? []) {
    if (!declared.some(({ name }) => sameName(name, vault))) {
      resolver.findings.push(`/roleAssignments of "${identity}" names the vault "${vault}", which is not declared`);
    }
  }
  return declared.map((vault) => resolveVault(vault, declaration, resolver));
}

function resolveVault(declared: VaultDeclaration, declaration: AzureDeclaration, resolver: Resolver): Vault {
  const where = `/vaults "${declared.name}"`;
  const tenant = resolver.tenant(declared.tenant, where);
  const roles = (declaration.roleAssignments ?? []).filter(({ vault }) => sameName(vault, declared.name));
  return {
    name: declared.name,
    host: `${declared.name}.${CLOUDS[tenant.cloud].vaultSuffix}`.toLowerCase(),
    tenant,
    permissionModel: declared.permissionModel ?? 'role',
    accessPolicies: (declared.accessPolicies ?? []).map(({ identity, secrets = [], keys = [] }) => ({
      identity: resolver.identity(identity, where),
      secrets,
      keys,
    })),
    roleAssignments: roles.map((role) => ({ ...role, identity: resolver.identity(role.identity, '/roleAssignments') })),
    behindFirewall: declared.firewall === 'deny',
    secrets: new Map(
      Object.entries(declared.secrets ?? {}).map(([name, secret]) => [
        name.toLowerCase(),
        resolveSecret(declared.name, name, secret),
      ]),
    ),
    keys: new Map(
      Object.entries(declared.keys ?? {}).map(([name, key]) => [
        name.toLowerCase(),
        resolveKey(declared.name, name, key),
      ]),
    ),
  };
}

function resolveSecret(vault: string, name: string, declared: SecretDeclaration): VaultSecret {
  const history =
    typeof declared === 'object' && 'versions' in declared
      ? declared
      : { versions: [typeof declared === 'string' ? { value: declared } : declared] };
  const deleted = history.deleted ?? history.versions.at(-1)?.deleted ?? false;
  return {
    name,
    deleted,
    versions: history.versions.map((version, i) => resolveVersion(version, [vault, name, String(i)])),
  };
}

function resolveVersion(declared: SecretVersionDeclaration, words: readonly string[]): VaultSecretVersion {
  return {
    version: declared.version ?? derivedGuid('secret', ...words).replaceAll('-', ''),
    value: declared.value,
    enabled: declared.enabled ?? true,
    expires: seconds(declared.expires),
    notBefore: seconds(declared.notBefore),
    created: seconds(declared.created ?? DEFAULT_CREATED) ?? 0,
    contentType: declared.contentType,
    tags: declared.tags ?? {},
  };
}

function resolveKey(vault: string, name: string, declared: KeyDeclaration): VaultKey {
  const { kind = 'RSA', size = 2_048, versions = [{}] } = declared;
  const operations = declared.operations ?? ['sign', 'verify'];
  const own = { kind, size, operations, tags: {} };
  return { name, versions: versions.map((version, i) => resolveKeyVersion(version, own, [vault, name, String(i)])) };
}

function resolveKeyVersion(
  declared: KeyVersionDeclaration,
  own: Pick<VaultKeyVersion, 'kind' | 'size' | 'operations' | 'tags'>,
  words: readonly string[],
): VaultKeyVersion {
  const created = seconds(declared.created ?? DEFAULT_CREATED) ?? 0;
  return {
    ...own,
    version: declared.version ?? derivedGuid('key', ...words).replaceAll('-', ''),
    enabled: declared.enabled ?? true,
    expires: seconds(declared.expires),
    notBefore: seconds(declared.notBefore),
    created,
    updated: created,
  };
}

function seconds(time: string | undefined): number | undefined {
  return time === undefined ? undefined : Math.floor(Date.parse(time) / 1_000);
}

function sameName(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
