import { CLOUDS } from './clouds.ts';
import type { AzureDeclaration, ConnectionDeclaration } from './declaration.ts';
import { derivedGuid } from './derived-guid.ts';
import { azureDevOpsIssuer, connectionSubject, entraConnectionSubject, entraIssuer } from './federation.ts';
import type { Resolver } from './resolve-world.ts';
import type { Connection, World } from './world.ts';

/** What a connection stands in. */
export interface ConnectionSurroundings {
  readonly organization: Pick<World['organization'], 'name' | 'id'>;
  readonly project: World['project'];
  readonly tenantOf: Resolver['tenant'];
  readonly findings: string[];
}

const NAMES_A_CLIENT: ReadonlySet<ConnectionDeclaration['scheme']> = new Set([
  'WorkloadIdentityFederation',
  'ServicePrincipal',
]);

export function resolveConnection(
  declared: ConnectionDeclaration,
  declaration: AzureDeclaration,
  around: ConnectionSurroundings,
): Connection {
  const { organization, project, findings } = around;
  const where = `/connections "${declared.name}"`;
  const { tenantId, clientId, cloud } = resolvePrincipal(declared, declaration, around, where);
  const id = (declared.id ?? derivedGuid('connection', organization.id, project.id, declared.name)).toLowerCase();
  const issuerType = declared.issuerType ?? (cloud === 'AzureCloud' ? 'EntraID' : 'AzureDevOps');
  const entra = issuerType === 'EntraID';
  if (entra && cloud !== 'AzureCloud') findings.push(`${where} cannot have issuerType EntraID in ${cloud}`);
  return {
    id,
    name: declared.name,
    type: declared.type ?? 'azurerm',
    url: declared.url,
    scheme: declared.scheme,
    cloud,
    tenantId,
    clientId,
    issuerType,
    issuer: entra ? entraIssuer(CLOUDS[cloud].login, tenantId) : azureDevOpsIssuer(organization.id),
    subject: entra
      ? entraConnectionSubject(tenantId, organization.id, id)
      : connectionSubject(organization.name, project.name, declared.name),
    secret: declared.secret,
    username: declared.username,
    data: declared.data ?? {},
  };
}

/** A connection may name a tenant and a client that do not exist: that mistake is worth showing, too. */
function resolvePrincipal(
  declared: ConnectionDeclaration,
  { identities, tenants }: AzureDeclaration,
  { tenantOf, findings }: ConnectionSurroundings,
  where: string,
): Pick<Connection, 'tenantId' | 'clientId' | 'cloud'> {
  const identity = identities?.find(({ name }) => name === declared.identity);
  if (declared.identity !== undefined && identity === undefined) {
    findings.push(`${where} names the identity "${declared.identity}", which is not declared`);
  }
  const clientId = declared.clientId ?? identity?.clientId;
  if (clientId === undefined && NAMES_A_CLIENT.has(declared.scheme)) {
    findings.push(`${where} needs an identity or a clientId`);
  }
  const wanted = declared.tenant ?? identity?.tenant;
  const known =
    wanted === undefined ||
    tenants.some(({ id, name }) => id.toLowerCase() === wanted.toLowerCase() || name === wanted);
  const tenant = tenantOf(known ? wanted : tenants[0]?.id, where);
  return { tenantId: known ? tenant.id : wanted, clientId: clientId ?? '', cloud: tenant.cloud };
}
