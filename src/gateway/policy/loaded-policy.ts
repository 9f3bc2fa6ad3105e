import type { IssuerSettings } from '../auth/issuer-settings.ts';
import type { Claims } from './binding.ts';
import { decide } from './decide.ts';
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

  constructor(parts: PolicyParts) {
    this.parts = parts;
    this.issuers = [...parts.issuers.values()];
    this.roles = new Map([...parts.roles].map(([name, { role }]) => [name, role]));
  }

  get sha256(): string {
    return this.parts.sha256;
  }

  get legacy(): readonly LegacyCredential[] {
    return this.parts.legacy;
  }

  /** Never throws; what is not allowed by name is refused. */
  decide(wanted: RunPermission, now: number): Decision {
    return decide(this.parts, wanted, now);
  }

  decideTask({ policy }: Decision, _family: string): TaskDecision {
    if (policy !== this.sha256) throw new TypeError('the decision is of another policy');
    return { allowed: false, wouldAllow: false, mode: 'enforce', reason: 'no-task-identities' };
  }

  viewer(_claims: Claims, _now: number): LuigidPermission | undefined {
    return undefined;
  }

  anonymous(_address: string, _now: number): AnonymousPermission | undefined {
    return undefined;
  }

  namespacesOf(role: string): readonly string[] {
    return this.roles.get(role)?.namespaces ?? [];
  }
}
