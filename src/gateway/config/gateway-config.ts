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
  /** URL of the luigid beside the gateway; absent: a role that names no scheduler has the local one of Luigi. */
  readonly luigid?: string | undefined;
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
