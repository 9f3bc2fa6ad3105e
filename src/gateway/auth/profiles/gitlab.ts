import type { SignedFacts } from '../caller.ts';
import { refused } from '../token-refused.ts';
import type { ClaimReader } from './claim-reader.ts';
import type { Profile } from './profile.ts';

/** Pipelines whose code comes from somebody who only proposes it; GitLab 18.2 says the fork's project there. */
const PROPOSED: ReadonlySet<string | undefined> = new Set(['merge_request_event', 'external_pull_request_event']);
const REF_TYPES: Readonly<Record<string, string>> = { branch: 'refs/heads/', tag: 'refs/tags/' };

/**
 * A job's ID token (`id_tokens:` in .gitlab-ci.yml). Ids are texts of digits. In a merge request's pipeline `ref` is the
 * name of a branch that may lie in a fork: there, no branch is signed and nothing is protected.
 */
export const gitlab: Profile = {
  problem: () => undefined,
  read: (claims) => {
    // Projects may choose what follows, but it begins with the path.
    if (!claims.text('sub', 600).startsWith('project_path:')) throw refused('subject');
    claims.digits('namespace_id');
    return { signed: facts(claims), tokenId: claims.text('jti') };
  },
};

function facts(claims: ClaimReader): SignedFacts {
  const project = claims.digits('project_id');
  const proposed = PROPOSED.has(claims.optionalText('pipeline_source'));
  const ref = fullRef(claims);
  return {
    project,
    pipeline: claims.optionalText('ci_config_ref_uri'),
    run: claims.digits('pipeline_id'),
    repository: project,
    ref: proposed && !ref?.startsWith('refs/merge-requests/') ? undefined : ref,
    refProtected: claims.optionalFlag('ref_protected') === true && !proposed,
    commit: claims.optionalText('sha'),
    environment: claims.optionalText('environment'),
    actor: claims.optionalText('user_id'),
  };
}

/** GitLab before 16 has no `ref_path`. */
function fullRef(claims: ClaimReader): string | undefined {
  const path = claims.optionalText('ref_path');
  const [ref, type] = [claims.optionalText('ref'), claims.optionalText('ref_type')];
  if (path !== undefined) return path;
  const prefix = type !== undefined && Object.hasOwn(REF_TYPES, type) ? REF_TYPES[type] : undefined;
  return ref === undefined || prefix === undefined ? undefined : prefix + ref;
}
