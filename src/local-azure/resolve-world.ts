import type { AzureDeclaration, FederatedCredentialDeclaration, IdentityDeclaration } from './declaration.ts';
import { derivedGuid } from './derived-guid.ts';
import { EXCHANGE_AUDIENCE } from './federation.ts';
import { invalidDeclaration } from './read-declaration.ts';
import { resolveConnection } from './resolve-connection.ts';
import { resolveMembers, resolvePipelines } from './resolve-pipelines.ts';
import { resolveVaults } from './resolve-vaults.ts';
import type { Connection, FederatedCredential, Identity, Tenant, World } from './world.ts';

const JOB_TOKEN_SECONDS = 3_600;
const ATTACHMENT_BYTES = 100 * 1024 * 1024;

/** Looks names up in a declaration and keeps every one that is not there. */
export interface Resolver {
  readonly findings: string[];
  tenant(name: string | undefined, where: string): Tenant;
  identity(name: string, where: string): Identity;
}

/**
 * Links the names of a declaration and fills in what it leaves out; ids that it leaves out are the same in every start.
 *
 * @throws PlumblineError ERR_INPUT_INVALID with every name that leads nowhere or is used twice.
 */
export function resolveWorld(declaration: AzureDeclaration): World {
  const findings = duplicates(declaration);
  const tenants = declaration.tenants.map(
    ({ id, name, cloud }) => ({ id: id.toLowerCase(), name: name ?? id, cloud: cloud ?? 'AzureCloud' }) as const,
  );
  const tenantOf = tenantResolver(tenants, findings);
  const { name } = declaration.organization;
  const address = {
    name,
    id: idOr(declaration.organization.id, 'organization', name),
    url: collectionUrl(declaration),
  };
  const project = {
    name: declaration.project.name,
    id: idOr(declaration.project.id, 'project', name, declaration.project.name),
  };
  const connections = (declaration.connections ?? []).map((connection) =>
    resolveConnection(connection, declaration, { organization: address, project, tenantOf, findings }),
  );
  const identities = (declaration.identities ?? []).map((identity) =>
    resolveIdentity(identity, connections, tenantOf, findings),
  );
  const resolver: Resolver = { findings, tenant: tenantOf, identity: identityResolver(identities, findings) };
  const vaults = resolveVaults(declaration, resolver);
  const pipelines = resolvePipelines(declaration, project, resolver);
  const organization = { ...address, ...resolveMembers(declaration, pipelines, resolver) };
  const machineIdentities = (declaration.machineIdentities ?? []).map((each, i) =>
    resolver.identity(each, `/machineIdentities/${i}`),
  );
  if (findings.length > 0) throw invalidDeclaration('the Azure declaration', findings);
  return {
    organization,
    project,
    tenants,
    identities,
    connections,
    vaults,
    pipelines,
    machineIdentities,
    issuers: declaration.issuers ?? [],
    faults: declaration.faults ?? [],
    lifetimes: { jobToken: JOB_TOKEN_SECONDS, ...declaration.lifetimes },
    entraAudience: declaration.entraAudience ?? 'guid',
    attachmentBytes: declaration.limits?.attachmentBytes ?? ATTACHMENT_BYTES,
  };
}

function collectionUrl({ organization }: AzureDeclaration): string {
  const { name, address = 'dev.azure.com' } = organization;
  return address === 'dev.azure.com'
    ? `https://dev.azure.com/${name}/`
    : `https://${name.toLowerCase()}.visualstudio.com/`;
}

/** A declared id, or one that is the same for the same words. */
function idOr(id: string | undefined, ...words: readonly string[]): string {
  return id?.toLowerCase() ?? derivedGuid(...words);
}

function duplicates(declaration: AzureDeclaration): string[] {
  return (['identities', 'connections', 'vaults'] as const).flatMap((list) => {
    const names = (declaration[list] ?? []).map(({ name }) => name.toLowerCase());
    return names.filter((name, i) => names.indexOf(name) !== i).map((name) => `/${list} has "${name}" twice`);
  });
}

function tenantResolver(tenants: readonly Tenant[], findings: string[]): Resolver['tenant'] {
  const [first] = tenants as [Tenant, ...Tenant[]];
  return (name, where) => {
    const found =
      name === undefined ? first : tenants.find((tenant) => tenant.id === name.toLowerCase() || tenant.name === name);
    if (name === undefined && tenants.length > 1)
      findings.push(`${where} must say which tenant: there are ${tenants.length}`);
    if (found === undefined) findings.push(`${where} names the tenant "${name}", which is not declared`);
    return found ?? first;
  };
}

function identityResolver(identities: readonly Identity[], findings: string[]): Resolver['identity'] {
  return (name, where) => {
    const found = identities.find((identity) => identity.name === name);
    if (found === undefined) findings.push(`${where} names the identity "${name}", which is not declared`);
    return found ?? ({ name } as Identity);
  };
}

function resolveIdentity(
  declared: IdentityDeclaration,
  connections: readonly Connection[],
  tenantOf: Resolver['tenant'],
  findings: string[],
): Identity {
  const where = `/identities "${declared.name}"`;
  const tenant = tenantOf(declared.tenant, where);
  const clientId = declared.clientId.toLowerCase();
  return {
    name: declared.name,
    kind: declared.kind ?? 'application',
    tenant,
    clientId,
    objectId: idOr(declared.objectId, 'object', tenant.id, clientId),
    federatedCredentials: (declared.federatedCredentials ?? []).map((credential) =>
      resolveCredential(credential, connections, where, findings),
    ),
    identifierUris: declared.exposes?.identifierUris ?? [],
    accessTokenVersion: declared.exposes?.accessTokenVersion ?? 1,
  };
}

function resolveCredential(
  declared: FederatedCredentialDeclaration,
  connections: readonly Connection[],
  where: string,
  findings: string[],
): FederatedCredential {
  if (!('connection' in declared)) return { audience: EXCHANGE_AUDIENCE, ...declared };
  const connection = connections.find(({ name }) => name === declared.connection);
  if (connection === undefined)
    findings.push(`${where} trusts the connection "${declared.connection}", which is not declared`);
  return { issuer: connection?.issuer ?? '', subject: connection?.subject ?? '', audience: EXCHANGE_AUDIENCE };
}
