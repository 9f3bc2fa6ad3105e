import type { Complain } from './check-document.ts';
import { isElsewhere, isProduction, isSameEnvironment } from './environments.ts';
import { type IdentityUse, identityUses, principalsOf } from './identity-uses.ts';
import type { PolicyDocument } from './policy-document.ts';

/** What roles must not have in common: an identity that nobody says is shared, and production with anything else. */
export function checkIdentityUses(document: PolicyDocument, complain: Complain): void {
  const uses = identityUses(document);
  checkShared(uses, complain);
  checkEnvironments(document, uses, complain);
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

/** A second name for an identity is that identity: what one of its names says of the environment holds for all. */
function checkEnvironments(document: PolicyDocument, uses: readonly IdentityUse[], complain: Complain): void {
  const declared = declarations(document);
  const ofRoles = uses.filter(isOfProductionRole).flatMap(({ principals }) => principals);
  const ofIdentities = declared.flatMap(({ id, sounds }) => (isProduction(sounds) ? [id] : []));
  const production = new Set([...ofRoles, ...ofIdentities]);
  const environments = new Map<string, string[]>();
  for (const { id, environment } of declared)
    if (environment !== undefined) environments.set(id, [...(environments.get(id) ?? []), environment]);
  for (const use of uses) {
    const others = use.principals.flatMap((id) => environments.get(id) ?? []);
    if (others.some((environment) => isOther(environment, use.entry.environment)))
      complain(use.path, "is an identity of another environment than the role's own `environment`");
    else if (isOfRoleElsewhere(use) && isOfProduction(use, production))
      complain(use.path, 'is an identity of production in a role that is not');
  }
}

/** What `identities` say of the environment of each principal; `sounds`: its name where they say nothing. */
function declarations({ identities = {} }: PolicyDocument) {
  return Object.entries(identities).flatMap(([name, identity]) => {
    const { environment } = identity;
    return principalsOf(name, identity).map((id) => ({ id, environment, sounds: environment ?? name }));
  });
}

function isOther(environment: string, own: string | undefined): boolean {
  return own === undefined || !isSameEnvironment(environment, own);
}

function isOfProduction({ kind, name, principals }: IdentityUse, production: ReadonlySet<string>): boolean {
  return (kind === 'worker' && isProduction(name)) || principals.some((id) => production.has(id));
}

function isOfRoleElsewhere({ role, entry }: IdentityUse): boolean {
  return isElsewhere(entry.environment ?? role);
}

function isOfProductionRole({ role, entry }: IdentityUse): boolean {
  return isProduction(entry.environment ?? role);
}
