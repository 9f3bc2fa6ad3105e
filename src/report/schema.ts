import type { RunOutcome, TaskState } from '#core/run.ts';

/**
 * The report of one run, version 1: what the results tab reads, written as the attachment `plumbline-report`. Its JSON
 * Schema is docs/schemas/report-v1.json. Fields may be added within a version; readers ignore those they do not know.
 * Every text is cut to the limits of caps.ts. No value of a secret and no e-mail address is ever in it.
 */
export interface Report {
  readonly schema: 'plumbline-report';
  readonly version: 1;
  readonly producer: { readonly name: string; readonly version: string };
  /** Milliseconds since the epoch, as all times here. */
  readonly createdAt: number;
  readonly run: ReportRun;
  readonly pipeline: ReportPipeline;
  /** How many tasks are in each state, those included that `tasks` leaves out. */
  readonly counts: Readonly<Partial<Record<TaskState, number>>>;
  readonly tasks: readonly ReportTask[];
  readonly findings: readonly ReportFinding[];
  readonly datasets: readonly ReportDataset[];
  readonly identity?: IdentityFacts | undefined;
  /** Only of a run at a gateway. */
  readonly gateway?: GatewayFacts | undefined;
  readonly secrets: readonly SecretUse[];
  readonly lineage?: LineageReceipt | undefined;
  /** What was left out, so that nobody takes the rest for all. */
  readonly cut: readonly Cut[];
}

export interface ReportRun {
  readonly id: string;
  /** The task family that was asked for. */
  readonly workflow: string;
  readonly rootTaskId?: string | undefined;
  readonly state: RunOutcome['state'];
  readonly verified: RunOutcome['verified'];
  /** The one sentence that says how it ended. */
  readonly summary?: string | undefined;
  readonly adopted: boolean;
  /** Public parameters of the root task. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly engine: { readonly name: string; readonly version?: string | undefined };
  /** The page of the run at its engine, where it has one. */
  readonly url?: string | undefined;
  /** By which the systems on either side of the run name the whole story. */
  readonly sharedId?: string | undefined;
  readonly startedAt: number;
  readonly endedAt: number;
}

export interface ReportPipeline {
  readonly organization: string;
  readonly project: string;
  readonly kind: 'build' | 'release';
  readonly name: string;
  readonly runName: string;
  readonly runId: string;
  readonly runUrl: string;
  readonly reason?: string | undefined;
  readonly stage?: string | undefined;
  readonly stageAttempt?: number | undefined;
  readonly job: string;
  readonly jobAttempt: number;
  readonly step: string;
  readonly environment?: string | undefined;
  readonly source: ReportSource;
}

export interface ReportSource {
  readonly provider?: string | undefined;
  readonly repository?: string | undefined;
  readonly commit?: string | undefined;
  /** The web page of the commit. */
  readonly commitUrl?: string | undefined;
  readonly branch?: string | undefined;
  readonly tag?: string | undefined;
  readonly pullRequest?: string | undefined;
  /** The pull request's own commit; `commit` is then the merge commit. */
  readonly pullRequestCommit?: string | undefined;
  readonly dirty?: boolean | undefined;
}

export interface ReportTask {
  readonly id: string;
  readonly family: string;
  readonly module?: string | undefined;
  readonly parameters: Readonly<Record<string, string>>;
  readonly state: TaskState;
  readonly dependsOn: readonly string[];
  readonly startedAt?: number | undefined;
  readonly endedAt?: number | undefined;
  readonly attempts: number;
  readonly failure?: ReportFailure | undefined;
  readonly statusMessage?: string | undefined;
  readonly trackingUrl?: string | undefined;
  /** Indices into `datasets`. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

export interface ReportFailure {
  readonly type: string;
  readonly message: string;
  /** The end of the traceback. */
  readonly traceback: string;
  readonly frame?: ReportFrame | undefined;
}

export interface ReportFrame {
  /** Relative to the checkout when it lies there. */
  readonly file: string;
  readonly line: number;
  readonly function: string;
}

export interface ReportFinding {
  readonly severity: 'error' | 'warning';
  readonly code: string;
  readonly message: string;
  readonly remedy?: string | undefined;
  readonly taskId?: string | undefined;
  readonly frame?: ReportFrame | undefined;
}

/**
 * - `written`: by a task that ran to its end in this run.
 * - `read`: by a task that ran, and written by none.
 * - `present`: output of a task that was already complete; another run wrote it.
 * - `unwritten`: output of a task that did not get done; whether it is there is not known.
 */
export const DATASET_ROLES = ['written', 'read', 'present', 'unwritten'] as const;

export interface ReportDataset {
  readonly namespace: string;
  readonly name: string;
  readonly type: string;
  readonly role: (typeof DATASET_ROLES)[number];
}

/** Whom the step and, if asked for, the tasks acted as. */
export interface IdentityFacts {
  /** `federated`: workload identity federation. `managed`: the machine's own managed identity. */
  readonly kind: 'federated' | 'managed';
  readonly clientId?: string | undefined;
  readonly tenantId?: string | undefined;
  readonly connection: { readonly id: string; readonly name?: string | undefined };
  readonly issuer?: string | undefined;
  readonly subject?: string | undefined;
}

/** Under which rules a gateway ran it. Everything but address and authentication is the gateway's word. */
export interface GatewayFacts {
  readonly url: string;
  /** The gateway's own id of the run. */
  readonly runId: string;
  /** `entra`: an access token of the service connection's application. `pipeline`: the pipeline's own ID token. */
  readonly authentication: 'entra' | 'pipeline';
  readonly role: string;
  /** The binding of the policy that admitted it. */
  readonly binding?: string | undefined;
  /** SHA-256 of the policy. */
  readonly policy: string;
  /** `enforce` or `report`. */
  readonly mode: string;
  /** `user`: the worker ran as a Unix user of its role. `none`: as the gateway itself. */
  readonly isolation: string;
  /** How often a worker was started. */
  readonly starts: number;
  readonly code?: GatewayCode | undefined;
}

/** The code that the workers ran. */
export interface GatewayCode {
  readonly kind: string;
  readonly digest?: string | undefined;
  readonly version?: string | undefined;
  readonly commit?: string | undefined;
  /** `signed`, `marker` or `claimed`: how the commit is known. */
  readonly commitProof?: string | undefined;
}

/** A secret that the run was given, by name. */
export interface SecretUse {
  readonly vault: string;
  readonly name: string;
  readonly version?: string | undefined;
  /** Where it went: the name of an environment variable, file or parameter. */
  readonly target?: string | undefined;
}

export interface LineageReceipt {
  readonly namespace: string;
  readonly stepRunId: string;
  readonly workflowRunId: string;
  readonly events: number;
  /** `run`: attached to the pipeline run. `file`: written to a file only. */
  readonly sink: 'run' | 'file';
}

export interface Cut {
  readonly what: 'tasks' | 'findings' | 'datasets' | 'secrets' | 'lineage runs' | 'lineage datasets';
  readonly kept: number;
  readonly total: number;
}
