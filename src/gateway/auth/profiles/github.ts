import type { SignedFacts } from '../caller.ts';
import { refused } from '../token-refused.ts';
import type { ClaimReader } from './claim-reader.ts';
import type { Profile } from './profile.ts';

/** `repo:OWNER/NAME:…`, or since 2026-07-15 `repo:OWNER@ID/NAME@ID:…`. */
const REPOSITORY = /^repo:([^/@:]+)(?:@(\d+))?\/([^/@:]+)(?:@(\d+))?(?::.*)?$/;
/** What a repository may choose instead: its subject begins with a claim and its value. */
const CHOSEN = /^([a-z_]+):./;

/**
 * A job's token of GitHub Actions. Names of owners and repositories may pass to others, so facts are ids. What runs for a
 * pull request is code that somebody proposes: nothing is protected there.
 */
export const github: Profile = {
  problem: () => undefined,
  read: (claims) => {
    checkSubject(claims);
    return { signed: facts(claims), tokenId: claims.text('jti') };
  },
};

function checkSubject(claims: ClaimReader): void {
  const sub = claims.text('sub', 600);
  const [owner, repository] = [claims.digits('repository_owner_id'), claims.digits('repository_id')];
  if (!sub.startsWith('repo:')) {
    const [, name = ''] = CHOSEN.exec(sub) ?? [];
    if (!claims.has(name)) throw refused('subject');
    return;
  }
  const [whole, ownerName, ownerId, repositoryName, repositoryId] = REPOSITORY.exec(sub) ?? [];
  if (whole === undefined || (ownerId === undefined) !== (repositoryId === undefined)) throw refused('subject');
  if (`${ownerName}/${repositoryName}` !== claims.text('repository')) throw refused('subject');
  if (ownerId !== undefined && (ownerId !== owner || repositoryId !== repository)) throw refused('subject');
}

function facts(claims: ClaimReader): SignedFacts {
  const project = claims.digits('repository_id');
  const event = claims.optionalText('event_name');
  const proposed = event?.startsWith('pull_request') ?? false;
  const isProtected = claims.optionalFlag('ref_protected');
  return {
    project,
    pipeline: claims.optionalText('job_workflow_ref'),
    run: claims.digits('run_id'),
    repository: project,
    ref: claims.optionalText('ref'),
    refProtected: proposed ? false : isProtected,
    commit: claims.optionalText('sha'),
    environment: claims.optionalText('environment'),
    actor: claims.optionalText('actor_id'),
  };
}
