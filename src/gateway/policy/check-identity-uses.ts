import type { Complain } from './check-document.ts';
import { isElsewhere, isProduction, isSameEnvironment } from './environments.ts';
import { type IdentityUse, identityUses } from './identity-uses.ts';
import type { PolicyDocument } from './policy-document.ts';

/** What roles must not have in common: an identity that nobody says is shared, and production with anything else. */
export function checkIdentityUses(document: PolicyDocument, complain: Complain): void {
  const uses = identityUses(document);
  checkShared(uses, complain);
  checkEnvironments(uses, complain);
}

/** What one role may the other may: so it is said why, at the identity (`sharedBy`, `sharedIdentity`). */
function checkShared(uses: readonly IdentityUse[], complain: Complain): void {
  const before = new Map<string, IdentityUse[]>();
  for (const use of uses) {
    const other = use.principals.flatMap((id) => before.get(id) ?? []).find((one) => isUnsaid(one, use));
    if (other !== undefined) complain(use.path, `is ${wordsOf(other)} of '${other.role}' too; ${remedyOf(use)}`);
    for (const id of use.principals) remember(before, id, use);
  }
}

function isUnsaid(one: IdentityUse, two: IdentityUse): boolean {
  return one.role !== two.role && !one.isSaidWhy && !two.isSaidWhy;
}

/** Two of different roles are enough: whichever role comes next differs from one of them. */
function remember(before: Map<string, IdentityUse[]>, id: string, use: IdentityUse): void {
  const known = before.get(id) ?? [];
  const isNew = !use.isSaidWhy && known.length < 2 && known.every(({ role }) => role !== use.role);
  if (isNew) before.set(id, [...known, use]);
}

function wordsOf({ kind }: IdentityUse): string {
  return kind === 'worker' ? 'the worker identity' : 'an identity of tasks';
}

function remedyOf({ kind }: IdentityUse): string {
  const field = kind === 'worker' ? '`sharedIdentity`' : '`sharedBy` at the identity';
  return `give each role one of its own, or say why with ${field}`;
}

function checkEnvironments(uses: readonly IdentityUse[], complain: Complain): void {
  const production = new Set(uses.filter(isOfProductionRole).flatMap(({ principals }) => principals));
  for (const use of uses) {
    const { name, entry, environment, principals, path } = use;
    const isOther =
      environment !== undefined &&
      (entry.environment === undefined || !isSameEnvironment(environment, entry.environment));
    const isTaken = isProduction(environment ?? name) || principals.some((id) => production.has(id));
    if (isOther) complain(path, "is an identity of another environment than the role's own `environment`");
    else if (isOfRoleElsewhere(use) && isTaken) complain(path, 'is an identity of production in a role that is not');
  }
}

function isOfRoleElsewhere({ role, entry }: IdentityUse): boolean {
  return isElsewhere(entry.environment ?? role);
}

function isOfProductionRole({ role, entry }: IdentityUse): boolean {
  return isProduction(entry.environment ?? role);
}
