import type { TokenCache } from '#identity/token-cache.ts';

/** Who reads from a vault: a service connection's identity, or that of the machine. */
export interface VaultReader extends TokenCache {
  readonly tenantId: string | undefined;
  readonly clientId: string | undefined;
  /** Absent: the machine reads for itself, without a service connection. */
  readonly connectionId?: string | undefined;
}

/** Who needs the permission, for sentences about a refusal. */
export function readerName({ clientId, connectionId }: VaultReader): string {
  if (connectionId === undefined) return clientId === undefined ? "this machine's identity" : `client ${clientId}`;
  if (clientId === undefined) return 'the managed identity of the agent';
  return `client ${clientId} of service connection ${connectionId}`;
}

/** Who signs in. */
export function signerName({ connectionId }: VaultReader): string {
  return connectionId === undefined ? "this machine's identity" : `service connection ${connectionId}`;
}
