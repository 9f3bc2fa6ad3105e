import type { JSONWebKeySet } from 'jose';
import type { CloudName } from './clouds.ts';

/** What `--azure FILE` says. The shape is held by azure.schema.json; names refer to names in the same file. */
export interface AzureDeclaration {
  readonly organization: {
    readonly name: string;
    readonly id?: string;
    /** Which of its two addresses the collection URI uses. Both are served. Default `dev.azure.com`. */
    readonly address?: 'dev.azure.com' | 'visualstudio.com';
    /** The tenant that it is connected to; may be left out when there is one. */
    readonly tenant?: string;
    /** Identities that are users of it. Whoever a pipeline names is one too. */
    readonly members?: readonly string[];
  };
  readonly project: { readonly name: string; readonly id?: string };
  readonly tenants: readonly TenantDeclaration[];
  readonly identities?: readonly IdentityDeclaration[];
  readonly connections?: readonly ConnectionDeclaration[];
  readonly vaults?: readonly VaultDeclaration[];
  readonly pipelines?: readonly PipelineDeclaration[];
  readonly roleAssignments?: readonly RoleAssignmentDeclaration[];
  /** OpenID providers of others (GitLab, a test's own) whose tokens federated credentials may trust. */
  readonly issuers?: readonly IssuerDeclaration[];
  /** The identities that this machine itself has, reachable by the App Service endpoint for managed identities. */
  readonly machineIdentities?: readonly string[];
  readonly lifetimes?: LifetimeDeclaration;
  /** `aud` of ID tokens that Entra issues for a connection. Default: the GUID of the token exchange resource. */
  readonly entraAudience?: 'guid' | 'uri';
  readonly limits?: { readonly attachmentBytes?: number };
  readonly faults?: readonly FaultDeclaration[];
}

export type IssuerDeclaration =
  /** Its keys are known from the start and never change. */
  { readonly issuer: string; readonly jwks: JSONWebKeySet } | DiscoveredIssuerDeclaration;

/** Its keys are read from its own discovery document, over TLS and by its own name. */
export interface DiscoveredIssuerDeclaration {
  /** Without a slash at the end. */
  readonly issuer: string;
  readonly discovery: {
    /** `127.0.0.1:8443`: where the host of the issuer listens. */
    readonly address: string;
    /** PEM file of the authority behind its certificate. */
    readonly caFile: string;
  };
}

export interface TenantDeclaration {
  readonly id: string;
  readonly name?: string;
  readonly cloud?: CloudName;
}

export interface IdentityDeclaration {
  readonly name: string;
  readonly kind?: 'application' | 'managedIdentity';
  /** A tenant's id or name; may be left out when there is one tenant. */
  readonly tenant?: string;
  readonly clientId: string;
  readonly objectId?: string;
  readonly federatedCredentials?: readonly FederatedCredentialDeclaration[];
  /** Makes the application a resource that others may ask a token for. */
  readonly exposes?: { readonly identifierUris: readonly string[]; readonly accessTokenVersion?: 1 | 2 };
}

export type FederatedCredentialDeclaration =
  | { readonly connection: string }
  | { readonly issuer: string; readonly subject: string; readonly audience?: string };

export type ConnectionType = 'azurerm' | 'plumbline-gateway' | 'plumbline-airflow';

/**
 * As the agent spells it. `Token` and `UsernamePassword`: only of an Airflow. `None`, of a gateway or of an Airflow behind one: the
 * pipeline's own token is all there is.
 */
export type ConnectionScheme =
  | 'WorkloadIdentityFederation'
  | 'ManagedServiceIdentity'
  | 'ServicePrincipal'
  | 'Token'
  | 'UsernamePassword'
  | 'None';

export interface ConnectionDeclaration {
  readonly name: string;
  readonly id?: string;
  /** Default `azurerm`. The others need a `url`, and with federation the gateway's `audience` in `data`. */
  readonly type?: ConnectionType;
  readonly url?: string;
  readonly scheme: ConnectionScheme;
  /** The identity it stands for. Without one, `tenant` and `clientId` are presented as they are (also when they do not exist). */
  readonly identity?: string;
  readonly tenant?: string;
  readonly clientId?: string;
  /** Who issues its ID tokens. Default `EntraID` in the public cloud, `AzureDevOps` elsewhere. */
  readonly issuerType?: 'EntraID' | 'AzureDevOps';
  /**
   * The stored secret as the agent hands it over: of a `ServicePrincipal` (Entra here never accepts it), the API token of
   * `Token`, the password of `UsernamePassword`.
   */
  readonly secret?: string;
  /** `UsernamePassword` only. */
  readonly username?: string;
  /** Further data parameters, or other values for the usual ones. */
  readonly data?: Readonly<Record<string, string>>;
}

/** A YAML pipeline that identities may queue. */
export interface PipelineDeclaration {
  /** Id of its definition. */
  readonly id: number;
  readonly name: string;
  /** Another project than `project`. */
  readonly project?: string;
  /** Its file, absolute or below the directory of the declaration. */
  readonly yaml: string;
  /** Refs that exist, in full; the first is the default branch. Default: `refs/heads/main`. Whichever is queued, the file runs as it lies there. */
  readonly refs?: readonly string[];
  /** Identities with "Queue builds", which see its runs too. */
  readonly queueBuilds?: readonly string[];
  /** Identities that may tag its runs. */
  readonly tagBuilds?: readonly string[];
}

export interface VaultDeclaration {
  readonly name: string;
  readonly tenant?: string;
  readonly permissionModel?: 'role' | 'accessPolicy';
  readonly accessPolicies?: readonly {
    readonly identity: string;
    readonly secrets?: readonly ('get' | 'list')[];
    readonly keys?: readonly ('get' | 'list' | 'sign' | 'create' | 'update' | 'rotate')[];
  }[];
  /** `deny`: the firewall does not know this machine's address. Default `allow`. */
  readonly firewall?: 'allow' | 'deny';
  readonly secrets?: Readonly<Record<string, SecretDeclaration>>;
  readonly keys?: Readonly<Record<string, KeyDeclaration>>;
}

/** A key and its versions, which are made at the start. Clients with the right to it make more. */
export interface KeyDeclaration {
  /** Default `RSA`. */
  readonly kind?: 'RSA' | 'RSA-HSM' | 'EC' | 'EC-HSM';
  /** Default 2048. */
  readonly size?: 2048 | 3072 | 4096;
  readonly operations?: readonly string[];
  /** Oldest first. Default: one. */
  readonly versions?: readonly KeyVersionDeclaration[];
}

export interface KeyVersionDeclaration {
  /** 32 hexadecimal digits. */
  readonly version?: string;
  readonly enabled?: boolean;
  /** ISO 8601. */
  readonly expires?: string;
  readonly notBefore?: string;
  readonly created?: string;
}

export type SecretDeclaration = string | SecretVersionDeclaration | SecretHistoryDeclaration;

export interface SecretVersionDeclaration {
  readonly value: string;
  /** 32 hexadecimal digits. */
  readonly version?: string;
  readonly enabled?: boolean;
  /** ISO 8601. */
  readonly expires?: string;
  readonly notBefore?: string;
  readonly created?: string;
  readonly contentType?: string;
  readonly tags?: Readonly<Record<string, string>>;
  /** Deleted and not purged. */
  readonly deleted?: boolean;
}

/** Oldest first. */
export interface SecretHistoryDeclaration {
  readonly versions: readonly SecretVersionDeclaration[];
  readonly deleted?: boolean;
}

export interface RoleAssignmentDeclaration {
  readonly identity: string;
  readonly role: 'Key Vault Secrets User' | 'Key Vault Reader' | 'Key Vault Crypto User' | 'Key Vault Crypto Officer';
  readonly vault: string;
  /** Narrows the assignment to one secret. */
  readonly secret?: string;
  /** Narrows it to one key. */
  readonly key?: string;
}

/** Seconds. */
export interface LifetimeDeclaration {
  readonly idToken?: number;
  readonly accessToken?: number;
  readonly jobToken?: number;
}

export interface FaultDeclaration {
  /** `*` stands for any text. */
  readonly host: string;
  readonly path?: string;
  readonly method?: string;
  readonly kind: 'latency' | 'status' | 'reset';
  readonly delayMs?: number;
  readonly status?: number;
  /** Seconds, sent as `Retry-After`. */
  readonly retryAfter?: number;
  /** How many matching requests are let through first. Default 0. */
  readonly skip?: number;
  /** How many it then hits. Default: all. */
  readonly count?: number;
}
