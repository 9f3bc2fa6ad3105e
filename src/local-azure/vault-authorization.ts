import type { VaultCaller } from './vault-caller.ts';
import { VaultError } from './vault-error.ts';
import type { Vault } from './world.ts';

export type VaultOperation = 'get' | 'list' | 'set' | 'delete' | 'recover' | 'purge' | KeyOperation;
export type KeyOperation = `keys/${'get' | 'list' | 'create' | 'update' | 'rotate' | 'sign' | 'delete'}`;

/** What built-in roles allow (Azure built-in roles, Security): a reader sees names, attributes and public parts, never values. */
const ROLE_OPERATIONS: Readonly<Record<string, readonly VaultOperation[]>> = {
  'Key Vault Secrets User': ['get', 'list'],
  'Key Vault Reader': ['list', 'keys/get', 'keys/list'],
  'Key Vault Crypto User': ['keys/get', 'keys/list', 'keys/update', 'keys/sign'],
  'Key Vault Crypto Officer': ['keys/get', 'keys/list', 'keys/create', 'keys/update', 'keys/rotate', 'keys/sign'],
};
const DATA_ACTIONS: Readonly<Record<VaultOperation, string>> = {
  get: 'secrets/getSecret/action',
  list: 'secrets/readMetadata/action',
  set: 'secrets/setSecret/action',
  delete: 'secrets/delete',
  recover: 'secrets/recover/action',
  purge: 'secrets/purge/action',
  'keys/get': 'keys/read',
  'keys/list': 'keys/read',
  'keys/create': 'keys/create/action',
  'keys/update': 'keys/update/action',
  'keys/rotate': 'keys/rotate/action',
  'keys/sign': 'keys/sign/action',
  'keys/delete': 'keys/delete',
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
  name: string | undefined,
): void {
  if (vault.behindFirewall) throw forbiddenByFirewall(caller, vault);
  if (vault.permissionModel === 'role' && !hasRole(caller, vault, operation, name))
    throw forbiddenByRole(caller, vault, operation, name);
  if (vault.permissionModel === 'accessPolicy' && !hasPolicy(caller, vault, operation))
    throw accessDenied(caller, vault, operation);
}

function hasRole(caller: VaultCaller, vault: Vault, operation: VaultOperation, name: string | undefined): boolean {
  return vault.roleAssignments.some(
    (assignment) =>
      assignment.identity.objectId === caller.objectId &&
      (ROLE_OPERATIONS[assignment.role] ?? []).includes(operation) &&
      reaches(assignment, operation, name),
  );
}

/** An assignment to one secret or key is to nothing else. */
function reaches({ secret, key }: Vault['roleAssignments'][number], operation: VaultOperation, name = ''): boolean {
  if (secret === undefined && key === undefined) return true;
  const [only, about] = [operation.startsWith('keys/') ? key : secret, name.toLowerCase()];
  return only?.toLowerCase() === about;
}

function hasPolicy(caller: VaultCaller, vault: Vault, operation: VaultOperation): boolean {
  const [what, word] = permissionOf(operation);
  return vault.accessPolicies.some(
    (policy) => policy.identity.objectId === caller.objectId && policy[what].includes(word),
  );
}

function permissionOf(operation: VaultOperation): readonly ['secrets' | 'keys', string] {
  return operation.startsWith('keys/') ? ['keys', operation.slice('keys/'.length)] : ['secrets', operation];
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
  name: string | undefined,
): VaultError {
  const resource = `/subscriptions/00000000-0000-0000-0000-000000000000/resourcegroups/local/providers/microsoft.keyvault/vaults/${vault.name}`;
  const lines = [
    'Caller is not authorized to perform action on resource.',
    'If role assignments, deny assignments or role definitions were changed recently, please observe propagation time.',
    `Caller: ${naming(caller)}`,
    `Action: 'Microsoft.KeyVault/vaults/${DATA_ACTIONS[operation]}'`,
    `Resource: '${resource}${name === undefined ? '' : `/${permissionOf(operation)[0]}/${name}`}'`,
    'Assignment: (not found)',
    'DenyAssignmentId: null',
    "DecisionReason: 'DeniedWithNoValidRBAC' ",
    `${location(vault)}`,
    '',
  ];
  return new VaultError(403, 'Forbidden', lines.join('\r\n'), 'ForbiddenByRbac');
}

function accessDenied(caller: VaultCaller, vault: Vault, operation: VaultOperation): VaultError {
  const permission = permissionOf(operation).join(' ');
  const who = `appid=${caller.clientId};oid=${caller.objectId};numgroups=0;iss=${caller.issuer}`;
  const message = `The user, group or application '${who}' does not have ${permission} permission on key vault '${vault.name};location=westeurope'. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125287`;
  return new VaultError(403, 'Forbidden', message, 'AccessDenied');
}

function naming({ clientId, objectId, issuer }: VaultCaller): string {
  return `appid=${clientId};oid=${objectId};iss=${issuer}`;
}

function location({ name }: Vault): string {
  return `Vault: ${name};location=westeurope`;
}
