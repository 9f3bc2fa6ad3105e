import type { CloudName } from './clouds.ts';
import type { AzureDeclaration, ConnectionScheme, ConnectionType, RoleAssignmentDeclaration } from './declaration.ts';

/** A declaration with its names resolved, its ids filled in and its defaults set. */
export interface World {
  readonly organization: Organization;
  readonly project: Project;
  readonly tenants: readonly Tenant[];
  readonly identities: readonly Identity[];
  readonly connections: readonly Connection[];
  readonly vaults: readonly Vault[];
  readonly pipelines: readonly PipelineDefinition[];
  readonly machineIdentities: readonly Identity[];
  readonly issuers: NonNullable<AzureDeclaration['issuers']>;
  readonly faults: NonNullable<AzureDeclaration['faults']>;
  /** Seconds. `accessToken` only when declared: it otherwise depends on the identity. */
  readonly lifetimes: { readonly idToken?: number; readonly accessToken?: number; readonly jobToken: number };
  readonly entraAudience: 'guid' | 'uri';
  readonly attachmentBytes: number;
}

export interface Organization {
  readonly name: string;
  readonly id: string;
  readonly url: string;
  readonly tenant: Tenant;
  /** Its users that are no persons. */
  readonly members: readonly Identity[];
}

export interface Project {
  readonly name: string;
  readonly id: string;
}

export interface PipelineDefinition {
  readonly id: number;
  readonly name: string;
  readonly project: Project;
  /** As declared. */
  readonly yaml: string;
  /** The first is the default branch. */
  readonly refs: readonly [string, ...string[]];
  readonly queueBuilds: readonly Identity[];
  readonly tagBuilds: readonly Identity[];
}

export interface Tenant {
  readonly id: string;
  readonly name: string;
  readonly cloud: CloudName;
}

export interface Identity {
  readonly name: string;
  readonly kind: 'application' | 'managedIdentity';
  readonly tenant: Tenant;
  readonly clientId: string;
  readonly objectId: string;
  readonly federatedCredentials: readonly FederatedCredential[];
  readonly identifierUris: readonly string[];
  readonly accessTokenVersion: 1 | 2;
}

export interface FederatedCredential {
  readonly issuer: string;
  readonly subject: string;
  readonly audience: string;
}

export interface Connection {
  readonly id: string;
  readonly name: string;
  readonly type: ConnectionType;
  /** Absent: that of the cloud. */
  readonly url: string | undefined;
  readonly scheme: ConnectionScheme;
  readonly cloud: CloudName;
  readonly tenantId: string;
  readonly clientId: string;
  readonly issuerType: 'EntraID' | 'AzureDevOps';
  readonly issuer: string;
  readonly subject: string;
  readonly secret: string | undefined;
  /** Of the scheme `UsernamePassword`. */
  readonly username: string | undefined;
  readonly data: Readonly<Record<string, string>>;
}

export interface Vault {
  readonly name: string;
  readonly host: string;
  readonly tenant: Tenant;
  readonly permissionModel: 'role' | 'accessPolicy';
  readonly accessPolicies: readonly {
    readonly identity: Identity;
    readonly secrets: readonly string[];
    readonly keys: readonly string[];
  }[];
  readonly roleAssignments: readonly (Omit<RoleAssignmentDeclaration, 'identity'> & { readonly identity: Identity })[];
  readonly behindFirewall: boolean;
  readonly secrets: ReadonlyMap<string, VaultSecret>;
  readonly keys: ReadonlyMap<string, VaultKey>;
}

export interface VaultSecret {
  readonly name: string;
  readonly deleted: boolean;
  /** Oldest first. */
  readonly versions: readonly VaultSecretVersion[];
}

export interface VaultSecretVersion {
  readonly version: string;
  readonly value: string;
  readonly enabled: boolean;
  /** Seconds since the epoch. */
  readonly expires: number | undefined;
  readonly notBefore: number | undefined;
  readonly created: number;
  readonly contentType: string | undefined;
  readonly tags: Readonly<Record<string, string>>;
}

export interface VaultKey {
  readonly name: string;
  /** Oldest first. */
  readonly versions: readonly VaultKeyVersion[];
}

/** What is known of a key's version; its material is the vault's own. */
export interface VaultKeyVersion {
  readonly version: string;
  readonly kind: 'RSA' | 'RSA-HSM' | 'EC' | 'EC-HSM';
  /** Bits of an RSA key. */
  readonly size: number;
  readonly operations: readonly string[];
  readonly enabled: boolean;
  /** Seconds since the epoch. */
  readonly expires: number | undefined;
  readonly notBefore: number | undefined;
  readonly created: number;
  readonly updated: number;
  readonly tags: Readonly<Record<string, string>>;
}
