import type { NetworkSettings } from '#core/network.ts';

/** Who a connection of the gateway's listener comes from, and whether it is encrypted here. */
export type Transport =
  /** On loopback only: nobody else hears it. */
  | { readonly kind: 'plain' }
  | { readonly kind: 'tls'; readonly certFile: string; readonly keyFile: string }
  /** A proxy that is trusted ends TLS. Only from these addresses `X-Forwarded-*` is read and a token is accepted. */
  | { readonly kind: 'behindProxy'; readonly trustedProxies: readonly string[] };

/** Where the gateway's own identity towards Key Vault comes from. */
export interface AzureIdentitySettings {
  /** `default`: the chain of DefaultAzureCredential; `managed`, `workload`: only that one. */
  readonly kind: 'default' | 'managed' | 'workload';
  readonly clientId?: string | undefined;
}

/** The luigid beside the gateway. */
export interface LuigidSettings {
  /** Where it listens: a URL without user info, or the path of its Unix socket. */
  readonly upstream:
    | { readonly kind: 'url'; readonly url: string }
    | { readonly kind: 'socket'; readonly path: string };
  /** `true`: workers and people reach it through this gateway only; `false`: workers get the URL, as under an open luigid. */
  readonly proxied: boolean;
}

/** Where signing keys are. */
export type SigningKeySettings =
  /** In the state directory. `rotateEveryMs` 0: only by hand. A new key is published for `publishForMs` before it signs. */
  | { readonly kind: 'files'; readonly rotateEveryMs: number; readonly publishForMs: number }
  /** Versions of one RSA key of a vault; a new version signs when it is `publishForMs` old. The key never leaves the vault. */
  | { readonly kind: 'azure-key-vault'; readonly vault: string; readonly key: string; readonly publishForMs: number };

/** The gateway as an issuer of tasks' tokens. */
export interface IssuerConfig {
  /** `iss`; https, without a slash at the end. */
  readonly url: string;
  /** At most 600,000. */
  readonly lifetimeMs: number;
  readonly keys: SigningKeySettings;
}

/** An Airflow 3 whose `[api_auth] trusted_jwks_url` is this gateway. */
export interface AirflowConfig {
  /** In the configuration, in paths and in the policy. */
  readonly name: string;
  /** Of its API server: https, or http on loopback; without a slash at the end. */
  readonly url: string;
  /** `iss` of the gateway's tokens for it. */
  readonly issuer: string;
  /** `aud` of them: Airflow's `[api_auth] jwt_audience`, never that of its execution API. */
  readonly audience: string;
  readonly authManager: 'simple' | 'fab';
  /** JWKS with the public keys by which Airflow signs itself. */
  readonly publicKeysFile: string;
  /** For this Airflow alone. `publishForMs` is an hour at least: that is how long Airflow keeps a copy. */
  readonly keys: SigningKeySettings;
  /** Of a token, 60,000 to 600,000. */
  readonly lifetimeMs: number;
}

/** How people sign in to luigid's own pages: OpenID Connect, code flow with PKCE. */
export interface SignInConfig {
  /** https, or http on loopback. */
  readonly issuer: string;
  readonly clientId: string;
  /** Absent: a public client. */
  readonly clientSecretFile?: string | undefined;
  readonly scopes: readonly string[];
  /** A session ends after this, whatever is done with it. */
  readonly sessionMs: number;
}

/** An organization of Azure DevOps whose pipelines the gateway queues. */
export interface AzureDevOpsConfig {
  /** `https://dev.azure.com/fabrikam`, in lower case. */
  readonly organization: string;
  /** Where requests go. */
  readonly base: string;
  /** Absent: every project that no other entry names. */
  readonly projects?: readonly string[] | undefined;
  /** Absent: the gateway's own. */
  readonly identity?: AzureIdentitySettings | undefined;
}

/** `gateway.yaml`, read, checked, with its defaults. Paths are absolute; times are milliseconds. */
export interface GatewayConfig {
  /** The file it was read from. */
  readonly file: string;
  readonly listen: { readonly host: string; readonly port: number };
  readonly transport: Transport;
  /** Without a slash at the end. Links in answers begin with it; absent: that of the listener. */
  readonly publicUrl?: string | undefined;
  /** Absent: no metrics are served. */
  readonly metrics?: { readonly host: string; readonly port: number } | undefined;
  readonly stateDirectory: string;
  readonly runsDirectory: string;
  readonly policyFile: string;
  /** Absent: a role that names no scheduler has the local one of Luigi. */
  readonly luigid?: LuigidSettings | undefined;
  /** Absent: no task tokens are issued, and no role may have task identities. */
  readonly issuer?: IssuerConfig | undefined;
  /** By name; those for which the gateway issues tokens. */
  readonly airflow: ReadonlyMap<string, AirflowConfig>;
  /** Where it queues pipelines; none: nowhere. */
  readonly azureDevOps: readonly AzureDevOpsConfig[];
  /** Absent: nobody can sign in to luigid's pages. */
  readonly signIn?: SignInConfig | undefined;
  readonly isolation: 'users' | 'none';
  readonly limits: {
    /** Runs at the same time, of all roles. */
    readonly runs: number;
    readonly queued: number;
    readonly bodyBytes: number;
    readonly connections: number;
    /** Per minute. */
    readonly requestsPerCaller: number;
    readonly requestsPerAddress: number;
    readonly watchers: number;
  };
  readonly timeouts: {
    readonly requestMs: number;
    readonly headersMs: number;
    readonly keepAliveMs: number;
    /** A bundle may take this long to arrive. */
    readonly uploadMs: number;
    /** A watcher that reads nothing for this long is let go; it can resume. */
    readonly slowWatcherMs: number;
    readonly heartbeatMs: number;
    /** From SIGTERM to the end of this process. Workers go on. */
    readonly shutdownMs: number;
  };
  readonly retention: { readonly runsMs: number; readonly bundlesMs: number };
  readonly audit: {
    readonly checkpointEveryMs: number;
    readonly checkpointEveryRecords: number;
    /** Where each checkpoint is copied to, off this machine. */
    readonly exportDirectory?: string | undefined;
  };
  readonly identity: AzureIdentitySettings;
  readonly logging: { readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error' };
  readonly network: NetworkSettings;
}
