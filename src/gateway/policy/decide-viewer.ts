import { type Claims, isActive, type Viewer } from './binding.ts';
import { claimMatches } from './condition.ts';
import type { LuigidPermission, Namespaces } from './luigid-access.ts';
import type { PolicyParts } from './policy-parts.ts';

/**
 * What all viewers together give that know a person now: each gives its access in its own namespaces and nowhere else, so that no
 * namespace gets more than one of them says. `undefined`: none knows the person.
 */
export function decideViewer(parts: PolicyParts, claims: Claims, now: number): LuigidPermission | undefined {
  const known = parts.viewers.filter((viewer) => isActive(viewer, now) && knowsPerson(viewer, claims));
  return known.length === 0 ? undefined : permissionOf(known, parts.sha256);
}

export function knowsPerson({ conditions }: Viewer, claims: Claims): boolean {
  return conditions.every((condition) => claimMatches(condition, condition.read(claims)));
}

export function permissionOf(viewers: readonly Viewer[], policy: string): LuigidPermission {
  const changing = viewers.filter(({ access }) => access !== 'read');
  return {
    read: united(viewers),
    operate: united(changing),
    admin: viewers.some(({ access }) => access === 'admin'),
    rules: viewers.map(({ name }) => name),
    policy,
  };
}

function united(viewers: readonly Viewer[]): Namespaces {
  const own = viewers.map(({ namespaces }) => namespaces);
  return own.includes('all') ? 'all' : [...new Set(own.flat())];
}
