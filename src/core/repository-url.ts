/** `git@host:path` as git's own documentation of remotes defines it. */
const SCP_ADDRESS = /^(?:[^@/\s]+@)?([^:/\s]+):(?!\/\/)(.+)$/;
const WINDOWS_DRIVE = /^[A-Za-z]:[\\/]/;

/**
 * The address of a repository without user info, query and fragment, or `undefined` when the text is no address: what
 * cannot be read cannot be cleaned of a token either.
 */
export function cleanRepositoryUrl(text: string | undefined): string | undefined {
  const url = parseAddress(text?.trim() ?? '');
  if (!url?.host) return undefined;
  url.username = '';
  url.password = '';
  url.search = '';
  url.hash = '';
  return url.href.replace(/\/+$/, '');
}

function parseAddress(text: string): URL | undefined {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return URL.canParse(text) ? new URL(text) : undefined;
  const [, host, path] = (!WINDOWS_DRIVE.test(text) && SCP_ADDRESS.exec(text)) || [];
  if (!host || !path) return undefined;
  const url = `ssh://${host}/${path.replace(/^\/+/, '')}`;
  return URL.canParse(url) ? new URL(url) : undefined;
}
