/** The code a run was started from. */
export interface SourceProvenance {
  /** `TfsGit`, `GitHub`, `GitHubEnterprise`, `Bitbucket`, `Git`, `TfsVersionControl` as the agent spells it. */
  readonly provider?: string | undefined;
  /** Without user info. */
  readonly repositoryUrl?: string | undefined;
  readonly repositoryName?: string | undefined;
  /** The commit that was built; in a pull request this is the merge commit. */
  readonly commit?: string | undefined;
  /** Without `refs/heads/`; other refs, such as that of a pull request, in full. */
  readonly branch?: string | undefined;
  /** Without `refs/tags/`. */
  readonly tag?: string | undefined;
  readonly pullRequest?:
    | {
        readonly id: string;
        readonly sourceBranch?: string | undefined;
        readonly targetBranch?: string | undefined;
        /** The commit of the pull request's own branch. */
        readonly sourceCommit?: string | undefined;
        /** It comes from a fork; `undefined`: not known. */
        readonly fork?: boolean | undefined;
      }
    | undefined;
  /**
   * Absolute path of the checkout on this machine. With several checkouts and no `path:` of its own, the repository lies in
   * a folder of this one that bears its name.
   */
  readonly checkout?: string | undefined;
  /** Whether the work tree differs from the commit; `undefined`: not known. */
  readonly dirty?: boolean | undefined;
}

/** Which pipeline run, stage, job and step this is. Everything comes from the environment and is therefore claimed, not proven. */
export interface Provenance {
  /** `https://dev.azure.com/fabrikam` or `https://fabrikam.visualstudio.com`, no slash at the end. */
  readonly organizationUrl: string;
  readonly organization: string;
  readonly project: { readonly id: string; readonly name: string };
  readonly kind: 'build' | 'release';
  readonly pipeline: { readonly id: string; readonly name: string };
  readonly run: {
    readonly id: string;
    readonly name: string;
    readonly url: string;
    readonly startedAt?: string | undefined;
  };
  readonly reason?: string | undefined;
  readonly stage?: { readonly name: string; readonly attempt: number } | undefined;
  readonly job: { readonly name: string; readonly id: string; readonly attempt: number };
  readonly environment?: string | undefined;
  readonly step: { readonly name: string; readonly id: string };
  /** Never an e-mail address. */
  readonly requestedFor?: { readonly id?: string | undefined; readonly name?: string | undefined } | undefined;
  readonly agentVersion?: string | undefined;
  readonly source: SourceProvenance;
}

/** What Azure Pipelines calls a stage or a leg that the author has not named. */
export const UNNAMED = '__default';

/** The stage's name, where the author gave it one. */
export function stageName({ stage }: Pick<Provenance, 'stage'>): string | undefined {
  return stage?.name === UNNAMED ? undefined : stage?.name;
}
