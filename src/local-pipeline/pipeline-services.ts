/** A service connection of the project. */
export interface ServiceConnectionFacts {
  /** GUID, lower case. */
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly url: string;
  readonly scheme: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly data: Readonly<Record<string, string>>;
}

export interface RepositoryFacts {
  readonly id: string;
  readonly name: string;
  /** `TfsGit`, `GitHub`, `Git` as `Build.Repository.Provider` spells it. */
  readonly type: string;
  /** Without user info. */
  readonly url: string;
}

export interface RunFacts {
  readonly buildId: number;
  readonly buildNumber: string;
  readonly definitionId: number;
  readonly definitionName: string;
  readonly planId: string;
  readonly timelineId: string;
  readonly repository: RepositoryFacts;
  readonly branch: string;
  readonly commit: string;
  readonly reason: string;
}

/**
 * The side of Azure that a pipeline run needs: who the job is, which connections exist, what was published by REST.
 * `local-azure` implements it; without it a pipeline runs on its own, with no network and no connections.
 */
export interface PipelineServices {
  readonly proxyUrl: string;
  /** PEM file of the authority that signs the services' certificates. */
  readonly caFile: string;
  readonly organization: { readonly name: string; readonly id: string; readonly url: string };
  readonly project: { readonly name: string; readonly id: string };
  /** What App Service and Azure Arc put into the environment of a machine with an identity of its own. */
  readonly managedIdentity?: { readonly endpoint: string; readonly header: string } | undefined;
  connections(): readonly ServiceConnectionFacts[];
  beginRun(run: RunFacts): void;
  /** `connectionIds`: those that the job's stage names; only for these an OIDC token may be issued. */
  beginJob(job: { jobId: string; planId: string; timelineId: string; connectionIds: readonly string[] }): {
    accessToken: string;
    oidcRequestUri: string;
  };
  beginStep(step: { recordId: string; jobId: string; name: string }): void;
  endJob(jobId: string): void;
  published(): {
    tags: string[];
    properties: Record<string, string>;
    attachments: { type: string; name: string; recordId: string; content: Uint8Array }[];
  };
}
