import type { JsonValue } from '#core/json.ts';
import type { Caller } from '../auth/caller.ts';
import type { PolicyAnswer } from './policy-answer.ts';

/** A user of an Airflow as whom callers of a binding may act. */
export interface AirflowGrant {
  /** Of the policy's `airflow`. */
  readonly name: string;
  /** Which Airflow: a name of the configuration's `airflow`. */
  readonly airflow: string;
  /** With SimpleAuthManager any name; with FabAuthManager the numeric id of its user, as text. */
  readonly user: string;
  /** SimpleAuthManager takes the role from the token; absent for FabAuthManager, which has it in its database. */
  readonly role?: 'viewer' | 'user' | 'op' | 'admin' | undefined;
}

/** A caller wants a token for an Airflow. */
export interface AirflowPermission {
  readonly caller: Caller;
  /** Name of the configuration's `airflow`. */
  readonly airflow: string;
  /** Of the grant, when the caller has several for this Airflow. */
  readonly grant?: string | undefined;
  readonly evidence?: Readonly<Record<string, boolean>> | undefined;
}

/** Pipelines of Azure DevOps that callers of a binding may queue. */
export interface PipelineGrant {
  /** Of the policy's `pipelines`. */
  readonly name: string;
  /** `https://dev.azure.com/fabrikam`, no slash at the end. */
  readonly organization: string;
  /** Name of the project. */
  readonly project: string;
  /** Id of the pipeline's definition. */
  readonly pipeline: number;
  /** Template parameter that gets who queued the run, as JSON of one line; absent: the pipeline is not told. */
  readonly contextParameter?: string | undefined;
}

/** A caller wants to queue a pipeline. */
export interface PipelinePermission {
  readonly caller: Caller;
  readonly organization: string;
  readonly project: string;
  readonly pipeline: number;
  /** In full: `refs/heads/main`. */
  readonly ref: string;
  readonly templateParameters: Readonly<Record<string, JsonValue>>;
  readonly evidence?: Readonly<Record<string, boolean>> | undefined;
}

/** The answer of the policy about anything but a run of Luigi. */
export interface GrantDecision<Grant> extends PolicyAnswer {
  /** Only when allowed. */
  readonly grant?: Grant | undefined;
}

export type AirflowDecision = GrantDecision<AirflowGrant>;
export type PipelineDecision = GrantDecision<PipelineGrant>;
