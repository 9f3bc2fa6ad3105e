import { CLOUDS, vaultResource } from './clouds.ts';
import type { Connection } from './world.ts';

/** A service connection as the agent hands it to a task that names it. */
export interface AgentEndpoint {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly url: string;
  readonly scheme: string;
  readonly parameters: Record<string, string>;
  readonly data: Record<string, string>;
}

export function agentEndpoint(connection: Connection): AgentEndpoint {
  return connection.type === 'azurerm' ? azureEndpoint(connection) : ownEndpoint(connection);
}

/** What the extension's own types of connection have: their address, their scheme's parameters and their fields as data. */
function ownEndpoint(connection: Connection): AgentEndpoint {
  const { id, name, type, url = '', scheme, data } = connection;
  return { id, name, type, url, scheme, parameters: parameters(connection), data: { ...data } };
}

function azureEndpoint(connection: Connection): AgentEndpoint {
  const cloud = CLOUDS[connection.cloud];
  const subscription = '00000000-0000-0000-0000-000000000000';
  return {
    id: connection.id,
    name: connection.name,
    type: 'azurerm',
    url: cloud.management,
    scheme: connection.scheme,
    parameters: parameters(connection),
    data: {
      environment: connection.cloud,
      scopeLevel: 'Subscription',
      subscriptionId: subscription,
      subscriptionName: 'Local',
      creationMode: 'Manual',
      activeDirectoryAuthority: `https://${cloud.login}/`,
      environmentAuthorityUrl: `https://${cloud.login}/`,
      activeDirectoryServiceEndpointResourceId: cloud.management,
      resourceManagerUrl: cloud.management,
      graphUrl: cloud.graph,
      microsoftGraphUrl: cloud.graph,
      AzureKeyVaultDnsSuffix: cloud.vaultSuffix,
      AzureKeyVaultServiceEndpointResourceId: vaultResource(connection.cloud),
      ...connection.data,
    },
  };
}

function parameters(connection: Connection): Record<string, string> {
  const { scheme, tenantId: tenantid, clientId: serviceprincipalid } = connection;
  if (scheme === 'None') return {};
  if (scheme === 'Token') return { apitoken: connection.secret ?? '' };
  if (scheme === 'UsernamePassword') return { username: connection.username ?? '', password: connection.secret ?? '' };
  if (scheme === 'ManagedServiceIdentity') return { tenantid };
  if (scheme === 'ServicePrincipal')
    return { tenantid, serviceprincipalid, authenticationType: 'spnKey', serviceprincipalkey: connection.secret ?? '' };
  return {
    tenantid,
    serviceprincipalid,
    workloadIdentityFederationIssuer: connection.issuer,
    workloadIdentityFederationIssuerType: connection.issuerType,
    workloadIdentityFederationSubject: connection.subject,
  };
}
