import { CLOUDS } from './clouds.ts';

/** Audience of a federated credential in the portal, and of tokens that Azure DevOps issues. */
export const EXCHANGE_AUDIENCE = 'api://AzureADTokenExchange';
/** The same resource's application id: `aud` of tokens that Entra issues for a connection. */
export const EXCHANGE_APPLICATION = 'fb60f99c-7a34-4190-8149-302f77469936';
/** Application id of Azure DevOps. */
export const AZURE_DEVOPS_APPLICATION = '499b84ac-1321-427f-aa17-267ca6975798';
export const OIDC_HOST = 'vstoken.dev.azure.com';

export function azureDevOpsIssuer(organizationId: string): string {
  return `https://${OIDC_HOST}/${organizationId}`;
}

export function entraIssuer(login: string, tenantId: string): string {
  return `https://${login}/${tenantId}/v2.0`;
}

/** Subject of a connection whose tokens Azure DevOps issues. */
export function connectionSubject(organization: string, project: string, connection: string): string {
  return `sc://${organization}/${project}/${connection}`;
}

/** Subject of a connection whose tokens Entra issues: GUIDs in their .NET byte order, base64url. Public cloud only. */
export function entraConnectionSubject(tenantId: string, organizationId: string, connectionId: string): string {
  const application = guidBytes(AZURE_DEVOPS_APPLICATION).toString('base64url');
  return `/eid1/c/pub/t/${guidBytes(tenantId).toString('base64url')}/a/${application}/sc/${organizationId}/${connectionId}`;
}

export function isEntraIssuer(issuer: string): boolean {
  return Object.values(CLOUDS).some((cloud) => issuer.startsWith(`https://${cloud.login}/`));
}

function guidBytes(guid: string): Buffer {
  const bytes = Buffer.from(guid.replaceAll('-', ''), 'hex');
  bytes.subarray(0, 4).reverse();
  bytes.subarray(4, 6).reverse();
  bytes.subarray(6, 8).reverse();
  return bytes;
}
