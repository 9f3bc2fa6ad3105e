import { isElsewhere, soundsLikeProduction } from './environments.ts';
import { identityUses, principalsOf } from './identity-uses.ts';
import { type Named, rolesOf } from './lint-roles.ts';
import type { Finding, LintRule } from './policy-lint.ts';

/** Two identities that one Unix user's processes could take from each other. */
export const isolation: LintRule = (parts) => {
  const identities = new Map<string, string>();
  for (const {
    role,
    principals: [name = '', ...ids],
  } of identityUses(parts.document))
    identities.set(role, `${identities.get(role) ?? ''}\n${ids.join(' ') || name}`);
  const signature = (role: string) => (identities.get(role) ?? '').split('\n').toSorted().join('\n');
  const isMixed = ([name, one]: Named, [other, two]: Named) =>
    one.unixUser === two.unixUser && signature(name) !== signature(other);
  return eachRole(rolesOf(parts), ([name, two], before): Finding[] => {
    if (!before.some((one) => isMixed(one, [name, two]))) return [];
    const user = two.unixUser === undefined ? 'no Unix user of their own' : `the Unix user '${two.unixUser}'`;
    const message = `its workers and those of another role have different identities and ${user}: each can read the other's`;
    const remedy = 'Give every worker identity a `unixUser` of its own.';
    return [{ rule: 'worker-isolation', severity: 'high', path: ['roles', name], message, remedy }];
  });
};

/** Tokens of tasks that run as whoever signs them. */
export const gatewayUser: LintRule = (parts) =>
  rolesOf(parts).flatMap(([name, { taskIdentities, unixUser }]): Finding[] => {
    if (taskIdentities === undefined || unixUser !== undefined) return [];
    const path = ['roles', name, 'taskIdentities'];
    const message = 'is of tasks that run as the gateway: they can read the key that signs every token';
    const remedy = 'Give the role a `unixUser` of its own.';
    return [{ rule: 'worker-isolation', severity: 'medium', path, message, remedy }];
  });

/** A role of another environment that reaches into production by something that may be its own after all. */
export const productionIdentity: LintRule = (parts) =>
  rolesOf(parts).flatMap(([name, { environment, workerIdentity, secrets = [] }]): Finding[] => {
    if (!isElsewhere(environment ?? name)) return [];
    const found: Finding[] = [];
    const say = (path: readonly (string | number)[], what: string) =>
      found.push({
        rule: 'production-identity',
        severity: 'high',
        path: ['roles', name, ...path],
        message: `${what} of production in a role that is not`,
        remedy: 'Give the role an identity and a vault of its own environment.',
      });
    if (workerIdentity !== undefined && soundsLikeProduction(workerIdentity)) say(['workerIdentity'], 'is an identity');
    for (const [i, { vault }] of secrets.entries())
      if (soundsLikeProduction(vault)) say(['secrets', i, 'vault'], 'is a vault');
    return found;
  });

/** Two names for what is one to a cloud. */
export const sameIdentity: LintRule = ({ document: { identities = {} } }) => {
  const known = new Map<string, string>();
  return Object.entries(identities).flatMap(([name, entry]): Finding[] => {
    const [, ...ids] = principalsOf(name, entry);
    const other = ids.map((id) => known.get(id)).find((one) => one !== undefined);
    for (const id of ids) known.set(id, known.get(id) ?? name);
    if (other === undefined) return [];
    const message = `is to a cloud the same as '${other}'`;
    const remedy = 'Name one of them everywhere, or give each an identity of its own.';
    return [{ rule: 'same-identity', severity: 'medium', path: ['identities', name], message, remedy }];
  });
};

/** No role has it. */
export const unusedIdentity: LintRule = ({ document }) => {
  const used = new Set(identityUses(document).map(({ name }) => name));
  return Object.keys(document.identities ?? {}).flatMap((name): Finding[] => {
    if (used.has(name)) return [];
    const [message, remedy] = ['no role gives it to its tasks', 'Remove it, or name it in `taskIdentities`.'];
    return [{ rule: 'unused-identity', severity: 'low', path: ['identities', name], message, remedy }];
  });
};

/** Each role with those before it, so that what two of them have is told once. */
function eachRole(
  roles: readonly Named[],
  find: (role: Named, before: readonly Named[]) => readonly Finding[],
): readonly Finding[] {
  return roles.flatMap((role, i) => find(role, roles.slice(0, i)));
}
