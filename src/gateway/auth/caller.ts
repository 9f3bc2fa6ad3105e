import type { JsonValue } from '#core/json.ts';

/** How an issuer's claims are read. */
export const PROFILES = [
  'azure-pipelines',
  'azure-connection',
  'entra',
  'gitlab',
  'github',
  'kubernetes',
  'oidc',
] as const;
export type ProfileName = (typeof PROFILES)[number];

/**
 * `once`: an ID token; the first request that carries it uses it up, and only the very same request may come again.
 * `untilExpiry`: an access token. `run`: issued by this gateway for one run.
 */
export type TokenUse = 'once' | 'untilExpiry' | 'run';

/** Facts that a token signs, in one vocabulary for every issuer. What the issuer does not sign is absent, never guessed. */
export interface SignedFacts {
  /** Immutable id of the project: `prj_id`, `project_id`, `repository_id`, the namespace of a service account. */
  readonly project?: string | undefined;
  /** Immutable id of the pipeline's definition: `def_id`, `job_workflow_ref`, `ci_config_ref_uri`. */
  readonly pipeline?: string | undefined;
  /** Id of the pipeline's run: `run_id`, `pipeline_id`. */
  readonly run?: string | undefined;
  /** Immutable id of the repository: `rpo_id`, GitLab's `project_id`, `repository_id`; names may pass to others. */
  readonly repository?: string | undefined;
  /** Full, e.g. `refs/heads/main`. */
  readonly ref?: string | undefined;
  readonly refProtected?: boolean | undefined;
  readonly commit?: string | undefined;
  readonly environment?: string | undefined;
  /** The person or account that started it, as an immutable id. */
  readonly actor?: string | undefined;
}

/** A token that was verified. It never holds the token itself. */
export interface VerifiedToken {
  /** The issuer's name in the policy. */
  readonly issuer: string;
  readonly profile: ProfileName;
  readonly iss: string;
  readonly subject: string;
  readonly audience: string;
  readonly signed: SignedFacts;
  /** Every claim, for the policy's matchers. */
  readonly claims: Readonly<Record<string, JsonValue>>;
  readonly use: TokenUse;
  /** `jti`, `uti`, or `sha256:` and the SHA-256 of what is signed of the token where the issuer gives neither. */
  readonly tokenId: string;
  /** SHA-256 of the compact token, hexadecimal: what the audit records. */
  readonly tokenHash: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** Who asks: the token that is authorised and, beside it, what another token signs about the run that carries it. */
export interface Caller extends VerifiedToken {
  /**
   * The pipeline's own token (`p://`) when the caller was authorised by another one; its facts win over `signed`.
   * DESIGN §6.5.
   */
  readonly runFacts?: VerifiedToken | undefined;
  /** Keys, runs and adoption are scoped to it: SHA-256 over issuer, subject and project. A foreign one is 404. */
  readonly scope: string;
  /** Only with `use: run`: the one run that the token is for. */
  readonly runId?: string | undefined;
}

/** The signed facts of a caller, those of the run token first. */
export function factsOf({ signed, runFacts }: Caller): SignedFacts {
  const present = Object.entries(runFacts?.signed ?? {}).filter(([, value]) => value !== undefined);
  return { ...signed, ...Object.fromEntries(present) };
}
