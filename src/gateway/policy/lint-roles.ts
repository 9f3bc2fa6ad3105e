import type { RoleEntry } from './policy-document.ts';
import type { Finding, LintRule } from './policy-lint.ts';
import type { PolicyParts } from './policy-parts.ts';

type Named = readonly [string, RoleEntry];

const PRODUCTION = /(^|[^a-z])(prod|production|prd|live)([^a-z]|$)/i;
const NOT_PRODUCTION =
  /(^|[^a-z])(dev|development|test|testing|qa|int|integration|stag|stage|staging|sandbox|uat|preprod|pre-prod)([^a-z]|$)/i;

/** Nobody has it. */
export const unusedRole: LintRule = (parts) => {
  const { bindings, legacy = [] } = parts.document;
  const used = new Set([...bindings, ...legacy].flatMap(({ roles }) => roles));
  return rolesOf(parts).flatMap(([name]): Finding[] => {
    if (used.has(name)) return [];
    return [
      {
        rule: 'unused-role',
        severity: 'low',
        path: ['roles', name],
        message: 'no binding gives it',
        remedy: 'Remove it, or bind it.',
      },
    ];
  });
};

/** Two identities that one Unix user's processes could take from each other. */
export const isolation: LintRule = (parts) =>
  eachRole(parts, (name, two, before): Finding[] => {
    if (!before.some(([, one]) => isMixed(one, two))) return [];
    const user = two.unixUser === undefined ? 'no Unix user of their own' : `the Unix user '${two.unixUser}'`;
    const message = `its workers and those of another role have different identities and ${user}: each can read the other's`;
    const remedy = 'Give every worker identity a `unixUser` of its own.';
    return [{ rule: 'worker-isolation', severity: 'high', path: ['roles', name], message, remedy }];
  });

/** One identity for two roles: what one may the other may. */
export const sharedIdentity: LintRule = (parts) =>
  eachRole(parts, (name, two, before): Finding[] => {
    const other = before.find(([, one]) => isSharedWithoutReason(one, two));
    if (other === undefined) return [];
    const message = `is the worker identity of '${other[0]}' too, and neither says why`;
    const remedy = 'Give each role an identity of its own, or say why with `sharedIdentity`.';
    return [{ rule: 'shared-identity', severity: 'medium', path: ['roles', name, 'workerIdentity'], message, remedy }];
  });

/** A role of another environment that reaches into production. */
export const productionIdentity: LintRule = (parts) =>
  rolesOf(parts).flatMap(([name, role]): Finding[] => {
    if (!isElsewhere(name, role)) return [];
    const { workerIdentity, secrets = [] } = role;
    const production = rolesOf(parts).filter(
      ([other, entry]) => !isElsewhere(other, entry) && isProduction(other, entry),
    );
    const taken = (identity: string) => production.some(([, entry]) => entry.workerIdentity === identity);
    const found: Finding[] = [];
    const say = (path: readonly (string | number)[], what: string) =>
      found.push({
        rule: 'production-identity',
        severity: 'high',
        path: ['roles', name, ...path],
        message: `${what} of production in a role that is not`,
        remedy: 'Give the role an identity and a vault of its own environment.',
      });
    if (workerIdentity !== undefined && (PRODUCTION.test(workerIdentity) || taken(workerIdentity)))
      say(['workerIdentity'], 'is an identity');
    for (const [i, { vault }] of secrets.entries())
      if (PRODUCTION.test(vault)) say(['secrets', i, 'vault'], 'is a vault');
    return found;
  });

/** What a role leaves open. */
export const openRole: LintRule = (parts) =>
  rolesOf(parts).flatMap(([name, role]): Finding[] => {
    const open = role.modules.findIndex((pattern) => pattern.startsWith('*'));
    const found: Finding[] = [];
    if (open >= 0)
      found.push({
        rule: 'wildcard-start',
        severity: 'medium',
        path: ['roles', name, 'modules', open],
        message: 'begins with a wildcard, so that every module that Python finds may be run',
        remedy: 'Name the package, e.g. `retail.**`.',
      });
    if (role.otherParameters === true)
      found.push({
        rule: 'other-parameters',
        severity: 'medium',
        path: ['roles', name, 'otherParameters'],
        message: 'lets parameters pass that nobody has thought of',
        remedy: 'Name the parameters that callers need.',
      });
    return found;
  });

function isElsewhere(name: string, { environment }: RoleEntry): boolean {
  return NOT_PRODUCTION.test(environment ?? name);
}

function isProduction(name: string, { environment }: RoleEntry): boolean {
  return PRODUCTION.test(environment ?? name);
}

function rolesOf({ document }: PolicyParts): readonly Named[] {
  return Object.entries(document.roles);
}

function isMixed(one: RoleEntry, two: RoleEntry): boolean {
  const hasIdentity = (one.workerIdentity ?? two.workerIdentity) !== undefined;
  return hasIdentity && one.workerIdentity !== two.workerIdentity && one.unixUser === two.unixUser;
}

function isSharedWithoutReason(one: RoleEntry, two: RoleEntry): boolean {
  const isShared = one.workerIdentity !== undefined && one.workerIdentity === two.workerIdentity;
  return isShared && (one.sharedIdentity ?? two.sharedIdentity) === undefined;
}

/** Each role with those before it, so that what two of them have is told once. */
function eachRole(
  parts: PolicyParts,
  find: (name: string, role: RoleEntry, before: readonly Named[]) => readonly Finding[],
): readonly Finding[] {
  const roles = rolesOf(parts);
  return roles.flatMap(([name, role], i) => find(name, role, roles.slice(0, i)));
}
