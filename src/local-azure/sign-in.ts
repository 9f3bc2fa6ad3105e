import { DevOpsError } from './devops-error.ts';
import type { Incoming, Reply } from './exchange.ts';

/**
 * What Azure DevOps says to a request that it cannot authenticate. A client that sends `X-TFS-FedAuthRedirect: Suppress` gets
 * a 401; any other one is led to a sign-in page: 302 without credentials, 203 with the page itself when they are no good.
 */
export function signInReply({ headers, host }: Incoming): Reply {
  if (String(headers['x-tfs-fedauthredirect'] ?? '').toLowerCase() === 'suppress') return unauthorized(host);
  const location = `https://spsprodweu1.vssps.visualstudio.com/_signin?realm=${host}&reply_to=`;
  if (headers.authorization !== undefined)
    return { status: 203, headers: { 'content-type': 'text/html; charset=utf-8' }, body: SIGN_IN_PAGE };
  const moved = `<html><head><title>Object moved</title></head><body>\r\n<h2>Object moved to <a href="${location.replaceAll('&', '&amp;')}">here</a>.</h2>\r\n</body></html>\r\n`;
  return { status: 302, headers: { location, 'content-type': 'text/html; charset=utf-8' }, body: moved };
}

const SIGN_IN_PAGE =
  '<!DOCTYPE html>\r\n<html lang="en-US"><head><title>Azure DevOps Services | Sign In</title></head><body>Sign in</body></html>\r\n';

function unauthorized(host: string): Reply {
  const reply = new DevOpsError(
    401,
    'UnauthorizedRequestException',
    "TF400813: The user '' is not authorized to access this resource.",
    'Microsoft.TeamFoundation.Framework.Server',
  ).reply();
  return {
    ...reply,
    headers: {
      'www-authenticate': `Bearer authorization_uri=https://login.microsoftonline.com/common, Basic realm="https://${host}/", TFS-Federated`,
    },
  };
}
