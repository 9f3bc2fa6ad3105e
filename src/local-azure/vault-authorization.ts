import type { VaultCaller } from './vault-caller.ts';
import { VaultError } from './vault-error.ts';
import type { Vault } from './world.ts';

export type VaultOperation = 'get' | 'list' | 'set' | 'delete' | 'recover' | 'purge';

/** What built-in roles allow (Azure built-in roles, Security): a reader sees names and attributes, never values. */
const ROLE_OPERATIONS: Readonly<Record<string, readonly VaultOperation[]>> = {
  'Key Vault Secrets User': ['get', 'list'],
  'Key Vault Reader': ['list'],
};
const DATA_ACTIONS: Readonly<Record<VaultOperation, string>> = {
  get: 'secrets/getSecret/action',
  list: 'secrets/readMetadata/action',
  set: 'secrets/setSecret/action',
  delete: 'secrets/delete',
  recover: 'secrets/recover/action',
  purge: 'secrets/purge/action',
};

/**
 * Lets the operation pass or refuses it the way the vault's permission model does; roles count only in a vault that uses
 * roles, access policies only in one that uses them.
 *
 * @throws VaultError 403 ForbiddenByFirewall, ForbiddenByRbac or AccessDenied.
 */
export function authorizeCaller(
  caller: VaultCaller,
  vault: Vault,
  operation: VaultOperation,
  secret: string | undefined,
): void {
  if (vault.behindFirewall) throw forbiddenByFirewall(caller, vault);
  if (vault.permissionModel === 'role' && !hasRole(caller, vault, operation, secret))
    throw forbiddenByRole(caller, vault, operation, secret);
  if (vault.permissionModel === 'accessPolicy' && !hasPolicy(caller, vault, operation))
    throw accessDenied(caller, vault, operation);
}

function hasRole(caller: VaultCaller, vault: Vault, operation: VaultOperation, secret: string | undefined): boolean {
  return vault.roleAssignments.some(
    (assignment) =>
      assignment.identity.objectId === caller.objectId &&
      (ROLE_OPERATIONS[assignment.role] ?? []).includes(operation) &&
      (assignment.secret === undefined || assignment.secret.toLowerCase() === secret?.toLowerCase()),
  );
}

function hasPolicy(caller: VaultCaller, vault: Vault, operation: VaultOperation): boolean {
  return vault.accessPolicies.some(
    ({ identity, secrets }) =>
      identity.objectId === caller.objectId && (secrets as readonly string[]).includes(operation),
  );
}

function forbiddenByFirewall(caller: VaultCaller, vault: Vault): VaultError {
  const lines = [
    'Client address is not authorized and caller is not a trusted service.',
    'Client address: 203.0.113.7',
    `Caller: ${naming(caller)}`,
    location(vault),
  ];
  return new VaultError(403, 'Forbidden', lines.join('\r\n'), 'ForbiddenByFirewall');
}

function forbiddenByRole(
  caller: VaultCaller,
  vault: Vault,
  operation: VaultOperation,
  secret: string | undefined,
): VaultError {
  const resource = `/subscriptions/00000000-0000-0000-0000-000000000000/resourcegroups/local/providers/microsoft.keyvault/vaults/${vault.name}`;
  const lines = [
    'Caller is not authorized to perform action on resource.',
    'If role assignments, deny assignments or role definitions were changed recently, please observe propagation time.',
    `Caller: ${naming(caller)}`,
    `Action: 'Microsoft.KeyVault/vaults/${DATA_ACTIONS[operation]}'`,
    `Resource: '${resource}${secret === undefined ? '' : `/secrets/${secret}`}'`,
    'Assignment: (not found)',
    'DenyAssignmentId: null',
    "DecisionReason: 'DeniedWithNoValidRBAC' ",
    `${location(vault)}`,
    '',
  ];
  return new VaultError(403, 'Forbidden', lines.join('\r\n'), 'ForbiddenByRbac');
}

function accessDenied(caller: VaultCaller, vault: Vault, operation: VaultOperation): VaultError {
  const who = `appid=${caller.clientId};oid=${caller.objectId};numgroups=0;iss=${caller.issuer}`;
  const message = `The user, group or application '${who}' does not have secrets ${operation} permission on key vault '${vault.name};location=westeurope'. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125287`;
  return new VaultError(403, 'Forbidden', message, 'AccessDenied');
}

function naming({ clientId, objectId, issuer }: VaultCaller): string {
  return `appid=${clientId};oid=${objectId};iss=${issuer}`;
}

function location({ name }: Vault): string {
  return `Vault: ${name};location=westeurope`;
}
