import type { Secret } from './secret.ts';

/** A service connection as the agent hands it to a task. */
export interface ServiceConnection {
  /** GUID; immutable. */
  readonly id: string;
  readonly url: string;
  /** `WorkloadIdentityFederation`, `ServicePrincipal`, `ManagedServiceIdentity`, … as the agent spells it. */
  readonly scheme: string;
  /** Authorisation parameter by lower-case name (`tenantid`, `serviceprincipalid`, …). */
  parameter(name: string): string | undefined;
  /** Data parameter by name (`environment`, `activeDirectoryAuthority`, `AzureKeyVaultDnsSuffix`, …). */
  data(name: string): string | undefined;
}

/** The job's own connection to Azure DevOps. */
export interface SystemConnection {
  /** Collection URI, `https://dev.azure.com/fabrikam/` or `https://fabrikam.visualstudio.com/`. */
  readonly url: string;
  /** `System.AccessToken`. */
  readonly accessToken: Secret;
}
