import type { IssuerSettings } from '../issuer-settings.ts';
import { refused } from '../token-refused.ts';
import { EXCHANGE_AUDIENCES, entraIssuer } from './azure-issuer.ts';
import type { ClaimReader } from './claim-reader.ts';
import type { Profile } from './profile.ts';

/**
 * An access token that Entra issued to an application or managed identity, for the gateway's own application. It signs who
 * (`sub` and `oid` are the service principal) and nothing of a run: what a pipeline signs comes beside it.
 *
 * Version 1 and 2 have issuers of their own and are two entries in the policy. ID tokens and tokens of users have the same
 * issuer and audience; they are refused.
 */
export const entra: Profile = {
  problem: ({ issuer, audiences }) => {
    if (entraIssuer(issuer) === undefined)
      return 'its issuer is neither https://login.microsoftonline.com/<tenant id>/v2.0 nor https://sts.windows.net/<tenant id>/';
    if (audiences.some((audience) => EXCHANGE_AUDIENCES.includes(audience)))
      return 'its audience is the one that every service connection shares; name the application of the gateway';
    return undefined;
  },
  read: (claims, settings) => {
    checkIssued(claims, settings);
    checkApplication(claims, settings);
    return { signed: {}, tokenId: claims.text('uti') };
  },
};

function checkIssued(claims: ClaimReader, { issuer }: IssuerSettings): void {
  const { tenant, version } = entraIssuer(issuer) ?? {};
  if (claims.guid('tid') !== tenant) throw refused('tenant', { field: 'tid' });
  if (claims.text('ver') !== version) throw refused('kind', { field: 'ver' });
}

/** Only access tokens name the client; only those of users have scopes; only those of applications have one id as both. */
function checkApplication(claims: ClaimReader, { issuer }: IssuerSettings): void {
  claims.guid(entraIssuer(issuer)?.version === '1.0' ? 'appid' : 'azp');
  if (claims.has('scp')) throw refused('kind', { field: 'scp' });
  if (claims.has('idtyp') && claims.text('idtyp') !== 'app') throw refused('kind', { field: 'idtyp' });
  if (claims.guid('oid') !== claims.text('sub').toLowerCase()) throw refused('kind', { field: 'oid' });
}
