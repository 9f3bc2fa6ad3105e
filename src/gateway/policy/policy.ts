import type { JsonValue } from '#core/json.ts';
import type { Caller } from '../auth/caller.ts';
import type { IssuerSettings } from '../auth/issuer-settings.ts';
import type {
  AirflowDecision,
  AirflowGrant,
  AirflowPermission,
  PipelineDecision,
  PipelineGrant,
  PipelinePermission,
} from './access-grants.ts';
import type { AnonymousPermission, LuigidPermission } from './luigid-access.ts';
import type { PolicyAnswer } from './policy-answer.ts';
import type { Role } from './role.ts';
import type { TaskDecision } from './task-identity.ts';

/** What a caller asks to be allowed. */
export interface RunPermission {
  readonly caller: Caller;
  readonly role: string;
  readonly module: string;
  readonly task: string;
  readonly parameters: Readonly<Record<string, JsonValue>>;
  readonly workers?: number | undefined;
  readonly timeoutMs?: number | undefined;
  /** Evidence from outside the token, by `require` word: `approval`, `notRequester`. Absent: there is none. */
  readonly evidence?: Readonly<Record<string, boolean>> | undefined;
}

/** The answer of the policy about a run of Luigi. */
export interface Decision extends PolicyAnswer {
  readonly role?: Role | undefined;
}

/** A policy file that was read, checked and compiled. Immutable. */
export interface Policy {
  readonly sha256: string;
  readonly issuers: readonly IssuerSettings[];
  readonly roles: ReadonlyMap<string, Role>;
  /** Credentials of old, with an end date: name → SHA-256 of the shared token. Each is a caller with the profile `oidc`. */
  readonly legacy: readonly LegacyCredential[];
  /** Whom callers may be towards an Airflow, and which pipelines they may queue, by the name of the grant. */
  readonly airflow: ReadonlyMap<string, AirflowGrant>;
  readonly pipelines: ReadonlyMap<string, PipelineGrant>;
  decide(wanted: RunPermission, now: number): Decision;
  /** As `decide`, about a token for an Airflow. Report mode has no effect on it: `allowed` is always `wouldAllow`. */
  decideAirflow(wanted: AirflowPermission, now: number): AirflowDecision;
  /** As `decide`, about queueing a pipeline. Report mode lets pass what `require` and conditions on template parameters refuse. */
  decidePipeline(wanted: PipelinePermission, now: number): PipelineDecision;
  /**
   * Whether a task of a family may have a token in a run of which this policy has just decided, and as whom.
   * @throws {TypeError} for a decision of another policy
   */
  decideTask(decision: Decision, family: string): TaskDecision;
  /** What a person with these claims of an ID token may do with luigid; `undefined`: nothing. Deny rules do not concern people. */
  viewer(claims: Readonly<Record<string, JsonValue>>, now: number): LuigidPermission | undefined;
  /** What a call from an IP address that brings nothing may do with luigid; `undefined`: nothing. It never starts a run. */
  anonymous(address: string, now: number): AnonymousPermission | undefined;
  /** Namespaces of a role at luigid; none for a role that does not say, or is not there. */
  namespacesOf(role: string): readonly string[];
}

/** `Caller.issuer` of whoever came with a credential of old; its name is the subject. No issuer of a policy has this name. */
export const LEGACY_ISSUER = 'legacy';

/** `issuer` of bindings for calls to luigid that bring nothing. No caller and no issuer of a policy has this name. */
export const ANONYMOUS_ISSUER = 'anonymous';

/** A shared token of the time before, side by side with OIDC until its end date. */
export interface LegacyCredential {
  readonly name: string;
  /** Hexadecimal; of the token's bytes. */
  readonly sha256: string;
  /** Milliseconds since the epoch. */
  readonly until: number;
}
