import {
  DefaultAzureCredential,
  ManagedIdentityCredential,
  type TokenCredential,
  type TokenCredentialOptions,
  WorkloadIdentityCredential,
} from '@azure/identity';

// Loaded by a dynamic import when first needed. Apart from azure-sdk.ts, because steps of a pipeline need none of it and would
// carry its chain of credentials along.

export type MachineCredentialKind = 'default' | 'managed' | 'workload';

/** Credentials of the machine or pod that this process runs on; `clientId` names one of several. */
export function machineCredential(
  kind: MachineCredentialKind,
  clientId: string | undefined,
  options: TokenCredentialOptions,
): TokenCredential {
  const named = clientId === undefined ? {} : { clientId };
  if (kind === 'managed') return new ManagedIdentityCredential({ ...options, ...named });
  if (kind === 'workload') return new WorkloadIdentityCredential({ ...options, ...named });
  if (clientId === undefined) return new DefaultAzureCredential(options);
  return new DefaultAzureCredential({
    ...options,
    managedIdentityClientId: clientId,
    workloadIdentityClientId: clientId,
  });
}
