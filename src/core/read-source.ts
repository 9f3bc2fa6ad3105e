import type { SourceProvenance } from './provenance.ts';
import { cleanRepositoryUrl } from './repository-url.ts';
import type { Variables } from './variables.ts';

const COMMIT = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/i;
const PULL_REQUEST_REF = /^refs\/pull\/(\d+)\/(?:merge|head)$/;

/**
 * The code of a build. `Build.Repository.*` describe the repository of the pipeline (`self`), also with several checkouts.
 * `Build.Repository.LocalPath` follows a `path:` of that checkout, `Build.SourcesDirectory` does not.
 */
export function readBuildSource(variables: Variables): SourceProvenance {
  const ref = variables.get('Build.SourceBranch');
  return {
    provider: variables.get('Build.Repository.Provider'),
    repositoryUrl: cleanRepositoryUrl(variables.get('Build.Repository.Uri')),
    repositoryName: variables.get('Build.Repository.Name'),
    commit: variables.get('Build.SourceVersion'),
    ...readRef(ref),
    pullRequest: readPullRequest(variables, ref),
    checkout: variables.get('Build.Repository.LocalPath') ?? variables.get('Build.SourcesDirectory'),
    dirty: undefined,
  };
}

/**
 * The code of a classic release is that of its primary artifact; a release without artifacts has none. Nothing is checked
 * out. `Build.*` repeat the primary artifact only when it is a build, so the artifact's own variables come first.
 */
export function readReleaseSource(variables: Variables): SourceProvenance {
  const alias = variables.get('Release.PrimaryArtifactSourceAlias');
  const artifact = (name: string) =>
    (alias && variables.get(`Release.Artifacts.${alias}.${name}`)) || variables.get(`Build.${name}`);
  return {
    provider: artifact('Repository.Provider') ?? artifact('Type'),
    repositoryUrl: cleanRepositoryUrl(artifact('Repository.Uri') ?? repositoryAddress(artifact('BuildURI'))),
    repositoryName: artifact('Repository.Name'),
    commit: artifact('SourceVersion') ?? commit(artifact('BuildId')) ?? commit(artifact('BuildNumber')),
    ...readRef(artifact('SourceBranch')),
  };
}

/** An artifact that is a repository has its address there, one that is a build has `vstfs:///Build/Build/130`. */
function repositoryAddress(buildUri: string | undefined): string | undefined {
  return buildUri && /^https?:/i.test(buildUri) ? buildUri : undefined;
}

/** An artifact that is a repository carries its commit as build id or number. */
function commit(text: string | undefined): string | undefined {
  return text && COMMIT.test(text) ? text : undefined;
}

function readRef(ref: string | undefined): Pick<SourceProvenance, 'branch' | 'tag'> {
  if (ref?.startsWith('refs/tags/')) return { tag: ref.slice('refs/tags/'.length) };
  return { branch: shortBranch(ref) };
}

function shortBranch(ref: string | undefined): string | undefined {
  return ref?.startsWith('refs/heads/') ? ref.slice('refs/heads/'.length) : ref;
}

/**
 * `PullRequestNumber` is what people see on GitHub, where `PullRequestId` is a global key; Azure Repos sets the id only.
 */
function readPullRequest(variables: Variables, ref: string | undefined): SourceProvenance['pullRequest'] {
  const id =
    variables.get('System.PullRequest.PullRequestNumber') ??
    PULL_REQUEST_REF.exec(ref ?? '')?.[1] ??
    variables.get('System.PullRequest.PullRequestId');
  if (id === undefined) return undefined;
  return {
    id,
    sourceBranch: shortBranch(variables.get('System.PullRequest.SourceBranch')),
    targetBranch: shortBranch(variables.get('System.PullRequest.TargetBranch')),
    sourceCommit: variables.get('System.PullRequest.SourceCommitId'),
    fork: variables.flag('System.PullRequest.IsFork'),
  };
}
