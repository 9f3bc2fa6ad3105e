import type { GatewayConfig } from './gateway-config.ts';

/** What the schema lets through, its defaults filled in. */
export interface RawGatewayConfig {
  readonly listen: GatewayConfig['listen'];
  readonly tls?: { readonly certFile: string; readonly keyFile: string };
  readonly behindProxy?: { readonly trustedProxies: readonly string[] };
  readonly publicUrl?: string;
  readonly metrics?: { readonly host: string; readonly port: number };
  readonly stateDirectory: string;
  readonly runsDirectory: string;
  readonly policyFile: string;
  readonly luigid?: string | { readonly socket?: string; readonly url?: string };
  readonly issuer?: {
    readonly url?: string;
    readonly lifetime: string;
    readonly keys: RawSigningKeys;
  };
  readonly airflow: Readonly<Record<string, RawAirflow>>;
  readonly azureDevOps: readonly {
    readonly organization: string;
    readonly projects?: readonly string[];
    readonly identity?: RawGatewayConfig['identity'];
  }[];
  readonly signIn?: {
    readonly issuer: string;
    readonly clientId: string;
    readonly clientSecretFile?: string;
    readonly scopes: readonly string[];
    readonly session: string;
  };
  readonly isolation: GatewayConfig['isolation'];
  readonly limits: GatewayConfig['limits'];
  readonly timeouts: Readonly<
    Record<'request' | 'headers' | 'keepAlive' | 'upload' | 'slowWatcher' | 'heartbeat' | 'shutdown', string>
  >;
  readonly retention: Readonly<Record<'runs' | 'bundles', string>>;
  readonly audit: {
    readonly checkpointEvery: string;
    readonly checkpointRecords: number;
    readonly exportDirectory?: string;
  };
  readonly identity: { readonly kind: GatewayConfig['identity']['kind']; readonly clientId?: string };
  readonly logging: GatewayConfig['logging'];
  readonly network: {
    readonly proxy?: {
      readonly url: string;
      readonly username?: string;
      readonly passwordFile?: string;
      readonly bypass: readonly string[];
    };
    readonly caFile?: string;
  };
}

export interface RawSigningKeys {
  readonly kind: 'files' | 'azure-key-vault';
  readonly rotateEvery?: string;
  readonly publishFor?: string;
  readonly vault?: string;
  readonly key?: string;
}

export interface RawAirflow {
  readonly url: string;
  readonly issuer?: string;
  readonly airflowIssuer?: string;
  readonly audience: string;
  readonly taskAudience: string;
  readonly authManager: 'simple' | 'fab';
  readonly publicKeys: string;
  readonly keys: RawSigningKeys;
  readonly lifetime: string;
}
