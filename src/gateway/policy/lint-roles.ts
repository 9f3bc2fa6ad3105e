import type { RoleEntry } from './policy-document.ts';
import type { Finding, LintRule } from './policy-lint.ts';
import type { PolicyParts } from './policy-parts.ts';

/** A role by its name. */
export type Named = readonly [string, RoleEntry];

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

export function rolesOf({ document }: PolicyParts): readonly Named[] {
  return Object.entries(document.roles);
}
