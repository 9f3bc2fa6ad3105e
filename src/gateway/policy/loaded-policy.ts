import type { IssuerSettings } from '../auth/issuer-settings.ts';
import type {
  AirflowDecision,
  AirflowGrant,
  AirflowPermission,
  PipelineDecision,
  PipelineGrant,
  PipelinePermission,
} from './access-grants.ts';
import type { Claims } from './binding.ts';
import { decide, decideAirflow, decidePipeline } from './decide.ts';
import { decideAnonymous } from './decide-anonymous.ts';
import { decideTask } from './decide-task.ts';
import { decideViewer } from './decide-viewer.ts';
import type { AnonymousPermission, LuigidPermission } from './luigid-access.ts';
import type { Decision, LegacyCredential, Policy, RunPermission } from './policy.ts';
import type { PolicyParts } from './policy-parts.ts';
import type { Role } from './role.ts';
import type { TaskDecision } from './task-identity.ts';

/** A policy file that was read, checked and compiled. */
export class LoadedPolicy implements Policy {
  readonly parts: PolicyParts;
  readonly issuers: readonly IssuerSettings[];
  readonly roles: ReadonlyMap<string, Role>;
  readonly pipelines: ReadonlyMap<string, PipelineGrant>;

  constructor(parts: PolicyParts) {
    this.parts = parts;
    this.issuers = [...parts.issuers.values()];
    this.roles = new Map([...parts.roles].map(([name, { role }]) => [name, role]));
    this.pipelines = new Map([...parts.pipelines].map(([name, { grant }]) => [name, grant]));
  }

  get sha256(): string {
    return this.parts.sha256;
  }

  get airflow(): ReadonlyMap<string, AirflowGrant> {
    return this.parts.airflow;
  }

  get legacy(): readonly LegacyCredential[] {
    return this.parts.legacy;
  }

  /** Never throws; what is not allowed by name is refused. */
  decide(wanted: RunPermission, now: number): Decision {
    return decide(this.parts, wanted, now);
  }

  decideAirflow(wanted: AirflowPermission, now: number): AirflowDecision {
    return decideAirflow(this.parts, wanted, now);
  }

  decidePipeline(wanted: PipelinePermission, now: number): PipelineDecision {
    return decidePipeline(this.parts, wanted, now);
  }

  decideTask(decision: Decision, family: string): TaskDecision {
    return decideTask(this.parts, decision, family);
  }

  viewer(claims: Claims, now: number): LuigidPermission | undefined {
    return decideViewer(this.parts, claims, now);
  }

  anonymous(address: string, now: number): AnonymousPermission | undefined {
    return decideAnonymous(this.parts, address, now);
  }

  namespacesOf(role: string): readonly string[] {
    return this.roles.get(role)?.namespaces ?? [];
  }
}
