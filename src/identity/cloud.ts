import type { ServiceConnection } from '#core/connection.ts';
import { PlumblineError } from '#core/errors.ts';

/** What differs between the Azure clouds. Sources: Microsoft's "Azure endpoints" tables for each national cloud. */
export interface Cloud {
  readonly name: string;
  /** Where tokens are issued; no slash at the end. */
  readonly authority: string;
  /** Suffixes of vault host names that a token of this cloud may be sent to. */
  readonly vaultSuffixes: readonly string[];
}

const CLOUDS: readonly Cloud[] = [
  {
    name: 'AzureCloud',
    authority: 'https://login.microsoftonline.com',
    vaultSuffixes: ['vault.azure.net'],
  },
  {
    name: 'AzureUSGovernment',
    authority: 'https://login.microsoftonline.us',
    vaultSuffixes: ['vault.usgovcloudapi.net'],
  },
  {
    name: 'AzureChinaCloud',
    authority: 'https://login.chinacloudapi.cn',
    vaultSuffixes: ['vault.azure.cn'],
  },
];

/** Older and newer names of the same authorities. `login.windows.net` still stands in the data of Azure connections. */
const AUTHORITIES: Readonly<Record<string, string>> = {
  'login.windows.net': 'AzureCloud',
  'login.microsoftonline.com': 'AzureCloud',
  'login.microsoftonline.us': 'AzureUSGovernment',
  'login.chinacloudapi.cn': 'AzureChinaCloud',
  'login.partner.microsoftonline.cn': 'AzureChinaCloud',
};

/**
 * The cloud of a connection: by its `environment`, else by the authority in its data, else the public cloud.
 *
 * @throws {PlumblineError} `ERR_CONNECTION_UNSUPPORTED` for an environment we do not know (Azure Stack, Germany);
 *   `ERR_IDENTITY_HOST_NOT_ALLOWED` when its authority is not the one of its cloud: the assertion would be sent there.
 */
export function cloudOf(connection: ServiceConnection): Cloud {
  const authority = connection.data('activeDirectoryAuthority') ?? connection.data('environmentAuthorityUrl');
  const byAuthority = authority === undefined ? undefined : cloudOfAuthority(authority, connection);
  const name = connection.data('environment') ?? byAuthority ?? 'AzureCloud';
  const cloud = CLOUDS.find((one) => one.name.toLowerCase() === name.toLowerCase());
  if (cloud === undefined) throw unknownCloud(name, connection);
  if (byAuthority !== undefined && byAuthority !== cloud.name) throw foreignAuthority(authority ?? '', connection);
  return cloud;
}

/**
 * The cloud of an authority as `AZURE_AUTHORITY_HOST` names it, with or without `https://`; the public one when there is none.
 *
 * @throws {PlumblineError} `ERR_IDENTITY_HOST_NOT_ALLOWED` for what is no cloud's authority: tokens would be asked there
 */
export function cloudOfAuthorityHost(authority: string | undefined): Cloud {
  const given = authority?.trim() || 'login.microsoftonline.com';
  const host = given
    .replace(/^https:\/\//i, '')
    .replace(/\/$/, '')
    .toLowerCase();
  const cloud = CLOUDS.find(({ name }) => name === AUTHORITIES[host]);
  if (cloud !== undefined) return cloud;
  throw new PlumblineError(
    'ERR_IDENTITY_HOST_NOT_ALLOWED',
    `Will not ask '${given}' for tokens: it is not Entra ID of a cloud that we know`,
    { remedy: 'Correct or remove AZURE_AUTHORITY_HOST.', details: { authority: given } },
  );
}

function cloudOfAuthority(authority: string, connection: ServiceConnection): string {
  const url = URL.canParse(authority) ? new URL(authority) : undefined;
  const cloud = url?.protocol === 'https:' && url.port === '' ? AUTHORITIES[url.hostname] : undefined;
  if (cloud === undefined) throw foreignAuthority(authority, connection);
  return cloud;
}

function unknownCloud(name: string, connection: ServiceConnection): PlumblineError {
  const supported = CLOUDS.map((cloud) => cloud.name).join(', ');
  return new PlumblineError(
    'ERR_CONNECTION_UNSUPPORTED',
    `Cannot use service connection ${connection.id}: its environment is '${name}'`,
    {
      remedy: `Choose a connection to one of ${supported}.`,
      details: { connection: connection.id, environment: name },
    },
  );
}

function foreignAuthority(authority: string, connection: ServiceConnection): PlumblineError {
  return new PlumblineError(
    'ERR_IDENTITY_HOST_NOT_ALLOWED',
    `Cannot use service connection ${connection.id}: its authority '${authority}' is not Entra ID of its cloud`,
    {
      remedy: 'Correct the environment and the authority of the connection; a token is sent to Entra ID only.',
      details: { connection: connection.id, authority },
    },
  );
}
