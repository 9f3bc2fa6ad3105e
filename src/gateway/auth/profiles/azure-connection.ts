import type { IssuerSettings } from '../issuer-settings.ts';
import { refused } from '../token-refused.ts';
import { AZURE_DEVOPS, azureDevOpsOrganization, encodedGuid, entraIssuer } from './azure-issuer.ts';
import type { ClaimReader } from './claim-reader.ts';
import type { Profile, ProfileReading } from './profile.ts';

const OLD_SUBJECT = /^sc:\/\/[^/]+\/[^/]+\/.+$/;
const GUID = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';
const ENTRA_SUBJECT = new RegExp(`^/eid1/c/[a-z]+/t/([\\w-]{22})/a/([\\w-]{22})/sc/${GUID}/${GUID}$`, 'i');

/**
 * The ID token of a service connection, from Azure DevOps (subject `sc://…`) or from Entra (`/eid1/…`). It signs the
 * connection and nothing of the run. Whoever receives it can become that connection in Azure, and other receivers can send
 * it here: prefer an Entra access token for the gateway.
 */
export const azureConnection: Profile = {
  subjectPrefix: 'sc://',
  problem: ({ issuer, sharedAudience }) => {
    if (!sharedAudience) return 'its audience is shared with every service connection: say `sharedAudience: true`';
    if (azureDevOpsOrganization(issuer) !== undefined || entraIssuer(issuer)?.version === '2.0') return undefined;
    return 'its issuer is neither https://vstoken.dev.azure.com/<organization id> nor https://login.microsoftonline.com/<tenant id>/v2.0';
  },
  read: (claims, settings) =>
    entraIssuer(settings.issuer) === undefined ? readOld(claims) : readEntra(claims, settings),
};

function readOld(claims: ClaimReader): ProfileReading {
  if (!OLD_SUBJECT.test(claims.text('sub', 600))) throw refused('subject');
  return { signed: {}, tokenId: claims.text('jti') };
}

function readEntra(claims: ClaimReader, { issuer }: IssuerSettings): ProfileReading {
  const tenant = entraIssuer(issuer)?.tenant ?? '';
  const [, inTenant, application] = ENTRA_SUBJECT.exec(claims.text('sub', 600)) ?? [];
  if (application !== encodedGuid(AZURE_DEVOPS)) throw refused('subject');
  if (claims.guid('tid') !== tenant) throw refused('tenant', { field: 'tid' });
  if (inTenant !== encodedGuid(tenant)) throw refused('tenant', { field: 'sub' });
  if (claims.guid('azp') !== AZURE_DEVOPS) throw refused('kind', { field: 'azp' });
  if (claims.text('idtyp') !== 'app') throw refused('kind', { field: 'idtyp' });
  return { signed: {}, tokenId: claims.text('uti') };
}
