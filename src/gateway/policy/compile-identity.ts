import type { IdentityEntry } from './policy-document.ts';
import type { TaskIdentity, TokenTarget } from './task-identity.ts';

const PUBLIC_AZURE = 'https://login.microsoftonline.com';

/**
 * What Entra ID expects in a federated credential, by cloud.
 * Source: Microsoft Learn, "Workload identity federation", audience of each national cloud.
 */
const AZURE_AUDIENCES: Readonly<Record<string, string>> = {
  [PUBLIC_AZURE]: 'api://AzureADTokenExchange',
  'https://login.microsoftonline.us': 'api://AzureADTokenExchangeUSGov',
  'https://login.partner.microsoftonline.cn': 'api://AzureADTokenExchangeChina',
  'https://login.chinacloudapi.cn': 'api://AzureADTokenExchangeChina',
};
const AWS_AUDIENCE = 'sts.amazonaws.com';

/** An identity of the policy with what its clouds take for granted. */
export function compileIdentity(name: string, entry: IdentityEntry): TaskIdentity {
  return { name, subject: `plumbline:${name}`, environment: entry.environment, targets: targetsOf(entry) };
}

/** The order in which a task without a wish gets the first. */
function targetsOf(entry: IdentityEntry): TokenTarget[] {
  const { azure, aws, google, files = [] } = entry;
  return [
    ...(azure === undefined ? [] : [azureTarget(azure)]),
    ...(aws === undefined ? [] : [{ kind: 'aws' as const, audience: AWS_AUDIENCE, ...aws }]),
    ...(google === undefined ? [] : [{ kind: 'google' as const, audience: `https:${google.provider}`, ...google }]),
    ...files.map((file) => ({ kind: 'file' as const, ...file })),
  ];
}

/** Ids are compared by Entra ID without regard to case. */
function azureTarget(entry: NonNullable<IdentityEntry['azure']>): TokenTarget {
  const { clientId, tenantId, authorityHost = PUBLIC_AZURE } = entry;
  const audience = entry.audience ?? AZURE_AUDIENCES[authorityHost] ?? '';
  return {
    kind: 'azure',
    audience,
    clientId: clientId.toLowerCase(),
    tenantId: tenantId.toLowerCase(),
    authorityHost,
  };
}
