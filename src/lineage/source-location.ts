import { commitUrl } from '#core/commit-url.ts';
import type { SourceProvenance } from '#core/provenance.ts';
import { type Facets, standardFacet } from './open-lineage.ts';

/**
 * The job facet `sourceCodeLocation`, or nothing when the repository has no known address.
 *
 * `version` is the commit that ran, in a pull request the merge commit; the pull request's own commit is in the facet
 * `azureDevOps_pipeline`.
 *
 * @param path the file of the workflow, relative to the repository
 */
export function sourceLocation(producer: string, source: SourceProvenance, path: string | undefined): Facets {
  const url = commitUrl(source);
  if (url === undefined) return {};
  const fields = {
    type: source.provider === 'TfsVersionControl' ? 'tfvc' : 'git',
    url,
    repoUrl: source.repositoryUrl,
    path,
    version: source.commit,
    tag: source.tag,
    branch: source.pullRequest?.sourceBranch ?? source.branch,
    pullRequestNumber: source.pullRequest?.id,
  };
  return { sourceCodeLocation: standardFacet(producer, '1-1-0', 'SourceCodeLocationJobFacet', fields) };
}
