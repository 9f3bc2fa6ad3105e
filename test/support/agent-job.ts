import type { Clock } from '#core/clock.ts';
import type { ServiceConnection, SystemConnection } from '#core/connection.ts';
import type { NetworkSettings } from '#core/network.ts';
import { Secret } from '#core/secret.ts';
import { createHttp, type Http } from '#http/http.ts';
import { type ConnectionIdentity, connectionIdentity } from '#identity/connection-identity.ts';
import type { StartedJob } from './local-azure.ts';

/** What a task in a job of the local Azure has at hand, from the agent's settings alone. */
export interface AgentJob {
  readonly network: NetworkSettings;
  readonly http: Http;
  readonly system: SystemConnection;
  /** Every value that was masked. */
  readonly masked: string[];
  readonly mask: (secret: Secret) => void;
  readonly variable: (name: string) => string | undefined;
  connection(name: string, change?: ConnectionChange): ServiceConnection;
  identity(name: string, change?: ConnectionChange): ConnectionIdentity;
}

export interface ConnectionChange {
  readonly id?: string;
  readonly scheme?: string;
  readonly parameters?: Readonly<Record<string, string>>;
  readonly data?: Readonly<Record<string, string>>;
}

export function agentJob(job: StartedJob, clock?: Clock): AgentJob {
  const { azure, accessToken, oidcRequestUri } = job;
  const network: NetworkSettings = {
    skipVerification: false,
    caFile: azure.caFile,
    proxy: { url: azure.proxyUrl, bypass: [] },
  };
  const masked: string[] = [];
  const mask = (secret: Secret) => void masked.push(secret.reveal());
  const http = createHttp(network, { clock });
  const system = { url: azure.organization.url, accessToken: new Secret(accessToken) };
  const variable = (name: string) => (name === 'System.OidcRequestUri' ? oidcRequestUri : undefined);
  const connection: AgentJob['connection'] = (name, change) => serviceConnection(job, name, change);
  const surroundings = { system, variable, http, mask, clock };
  const identity: AgentJob['identity'] = (name, change) => connectionIdentity(connection(name, change), surroundings);
  return { network, http, system, masked, mask, variable, connection, identity };
}

function serviceConnection({ azure }: StartedJob, name: string, change: ConnectionChange = {}): ServiceConnection {
  const endpoint = azure.connections().find((one) => one.name === name);
  if (endpoint === undefined) throw new TypeError(`no connection ${name}`);
  const parameters = { ...endpoint.parameters, ...change.parameters };
  const data = { ...endpoint.data, ...change.data };
  return {
    id: change.id ?? endpoint.id,
    url: endpoint.url,
    scheme: change.scheme ?? endpoint.scheme,
    parameter: (wanted) => entry(parameters, wanted),
    data: (wanted) => entry(data, wanted),
  };
}

/** The agent upper-cases the names of both. */
function entry(values: Readonly<Record<string, string>>, wanted: string): string | undefined {
  return Object.entries(values).find(([name]) => name.toLowerCase() === wanted.toLowerCase())?.[1] || undefined;
}
