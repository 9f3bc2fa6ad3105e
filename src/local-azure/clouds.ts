/** Where a cloud's services live. Microsoft's "Azure endpoints" tables per national cloud; `azurerm` calls them by these names. */
export interface Cloud {
  readonly login: string;
  /** Host of the issuer in version 1 tokens. */
  readonly tokenIssuer: string;
  readonly vaultSuffix: string;
  readonly management: string;
  readonly graph: string;
}

export const CLOUDS = {
  AzureCloud: {
    login: 'login.microsoftonline.com',
    tokenIssuer: 'sts.windows.net',
    vaultSuffix: 'vault.azure.net',
    management: 'https://management.azure.com/',
    graph: 'https://graph.microsoft.com/',
  },
  AzureUSGovernment: {
    login: 'login.microsoftonline.us',
    tokenIssuer: 'sts.windows.net',
    vaultSuffix: 'vault.usgovcloudapi.net',
    management: 'https://management.usgovcloudapi.net/',
    graph: 'https://graph.microsoft.us/',
  },
  AzureChinaCloud: {
    login: 'login.chinacloudapi.cn',
    tokenIssuer: 'sts.chinacloudapi.cn',
    vaultSuffix: 'vault.azure.cn',
    management: 'https://management.chinacloudapi.cn/',
    graph: 'https://microsoftgraph.chinacloudapi.cn/',
  },
} as const satisfies Record<string, Cloud>;

export type CloudName = keyof typeof CLOUDS;

/** Every name that a login host answers to: the China cloud has two. */
export function loginHosts(cloud: CloudName): readonly string[] {
  return cloud === 'AzureChinaCloud'
    ? [CLOUDS[cloud].login, 'login.partner.microsoftonline.cn']
    : [CLOUDS[cloud].login];
}

/** The resource that a vault's tokens are for, e.g. `https://vault.azure.net`. */
export function vaultResource(cloud: CloudName): string {
  return `https://${CLOUDS[cloud].vaultSuffix}`;
}
