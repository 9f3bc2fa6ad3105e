/** An organization of Azure DevOps Services. */
export interface OrganizationAddress {
  /** The one name for it in policy, store and audit: `https://dev.azure.com/fabrikam`, in lower case. */
  readonly organization: string;
  /** Where requests go: the same, or the older address of the same organization; https, no slash at the end. */
  readonly base: string;
}

/** Names of organizations: letters, digits and hyphens between them, at most 50. */
const NAME = /^[a-z0-9](?:[a-z0-9-]{0,48}[a-z0-9])?$/;
const OLD_HOST = '.visualstudio.com';

/**
 * `fabrikam`, `https://dev.azure.com/fabrikam` or `https://fabrikam.visualstudio.com`, in any case; `undefined` for everything
 * else: a token is sent to no other host.
 */
export function organizationAddress(text: string): OrganizationAddress | undefined {
  const given = text.trim().toLowerCase().replace(/\/$/, '');
  if (NAME.test(given)) return addressOf(given);
  const url = URL.parse(given);
  // What a URL has besides host and path has no place here; comparing the whole text leaves no second reading.
  if (url === null || url.protocol !== 'https:') return undefined;
  const name = url.pathname.slice(1);
  if (given === `https://dev.azure.com/${name}` && NAME.test(name)) return addressOf(name);
  const old = url.hostname.endsWith(OLD_HOST) ? url.hostname.slice(0, -OLD_HOST.length) : '';
  if (given === `https://${old}${OLD_HOST}` && NAME.test(old)) return { ...addressOf(old), base: given };
  return undefined;
}

function addressOf(name: string): OrganizationAddress {
  const organization = `https://dev.azure.com/${name}`;
  return { organization, base: organization };
}

/** The canonical name of an organization; `undefined` when the text names none. */
export function organizationUrl(text: string): string | undefined {
  return organizationAddress(text)?.organization;
}
