import type { SourceProvenance } from './provenance.ts';

const COMMIT = /^[0-9a-f]{7,64}$/i;

/** The web page of the commit, else of the repository; `undefined` when the repository has no known address. */
export function commitUrl(source: SourceProvenance): string | undefined {
  const repository = source.repositoryUrl?.replace(/\.git$/, '');
  if (repository === undefined || !URL.canParse(repository)) return undefined;
  const page = commitPage(source.provider);
  const commit = source.commit ?? '';
  return new URL(page && COMMIT.test(commit) ? `${repository}/${page}/${commit}` : repository).href;
}

function commitPage(provider: string | undefined): string | undefined {
  switch (provider?.toLowerCase()) {
    case 'tfsgit':
    case 'github':
    case 'githubenterprise':
      return 'commit';
    case 'bitbucket':
      return 'commits';
    default:
      return undefined;
  }
}
