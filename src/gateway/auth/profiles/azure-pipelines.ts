import type { SignedFacts } from '../caller.ts';
import { refused } from '../token-refused.ts';
import { azureDevOpsOrganization } from './azure-issuer.ts';
import type { ClaimReader } from './claim-reader.ts';
import type { Profile } from './profile.ts';

const SUBJECT = /^p:\/\/[^/]+\/[^/]+\/.+$/;

/**
 * The token that a pipeline's run asks for without a service connection. It signs the run, its definition and commit, and no
 * person and no environment. Its keys are the same for every organization, so the organization in it must be the issuer's.
 */
export const azurePipelines: Profile = {
  subjectPrefix: 'p://',
  problem: ({ issuer }) =>
    azureDevOpsOrganization(issuer) === undefined
      ? 'its issuer is not https://vstoken.dev.azure.com/<organization id>'
      : undefined,
  read: (claims, { issuer }) => {
    if (!SUBJECT.test(claims.text('sub', 600))) throw refused('subject');
    if (claims.guid('org_id') !== azureDevOpsOrganization(issuer)) throw refused('tenant', { field: 'org_id' });
    return { signed: facts(claims), tokenId: claims.text('jti') };
  },
};

function facts(claims: ClaimReader): SignedFacts {
  return {
    project: claims.guid('prj_id'),
    pipeline: claims.digits('def_id'),
    run: claims.digits('run_id'),
    repository: claims.optionalText('rpo_id'),
    ref: claims.optionalText('rpo_ref'),
    commit: claims.optionalText('rpo_ver'),
  };
}
