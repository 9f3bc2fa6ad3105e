const GUID = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';
const VERSION_2 = new RegExp(`^https://[^/?#]+/(${GUID})/v2\\.0$`, 'i');
const VERSION_1 = new RegExp(`^https://[^/?#]+/(${GUID})/$`, 'i');
const ORGANIZATION = new RegExp(`^https://[^/?#]+/(${GUID})$`, 'i');

/** Audience of every token that Azure DevOps issues for exchange, and the application id of the same resource. */
export const EXCHANGE_AUDIENCES: readonly string[] = [
  'api://AzureADTokenExchange',
  'api://AzureADTokenExchangeUSGov',
  'api://AzureADTokenExchangeChina',
  'fb60f99c-7a34-4190-8149-302f77469936',
];

/** Application id of Azure DevOps. */
export const AZURE_DEVOPS = '499b84ac-1321-427f-aa17-267ca6975798';

export interface EntraIssuer {
  /** In lower case. */
  readonly tenant: string;
  /** Of its tokens: `https://sts.windows.net/<tenant>/` issues version 1, `https://login…/<tenant>/v2.0` version 2. */
  readonly version: '1.0' | '2.0';
}

/** Tenant and version of an Entra issuer; `undefined` for another one, such as the multi-tenant `common`. */
export function entraIssuer(iss: string): EntraIssuer | undefined {
  const second = VERSION_2.exec(iss)?.[1];
  if (second !== undefined) return { tenant: second.toLowerCase(), version: '2.0' };
  const first = VERSION_1.exec(iss)?.[1];
  return first === undefined ? undefined : { tenant: first.toLowerCase(), version: '1.0' };
}

/** The organization of an Azure DevOps issuer, `https://vstoken.dev.azure.com/<organization>`, in lower case. */
export function azureDevOpsOrganization(iss: string): string | undefined {
  return ORGANIZATION.exec(iss)?.[1]?.toLowerCase();
}

/** A GUID as it stands in subjects that Entra makes: its bytes in .NET's order, base64url. */
export function encodedGuid(guid: string): string {
  const bytes = Buffer.from(guid.replaceAll('-', ''), 'hex');
  const ordered = [bytes.subarray(0, 4).reverse(), bytes.subarray(4, 6).reverse(), bytes.subarray(6, 8).reverse()];
  return Buffer.concat([...ordered, bytes.subarray(8)]).toString('base64url');
}
