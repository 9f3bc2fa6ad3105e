import type { FieldPath } from '../config/yaml-source.ts';
import type { Complain } from './check-document.ts';
import { isClaimPath } from './claim-path.ts';
import type { ConditionEntry, PolicyDocument } from './policy-document.ts';

export function checkConditions(conditions: readonly ConditionEntry[], path: FieldPath, complain: Complain): void {
  for (const [i, { claim }] of conditions.entries())
    if (!isClaimPath(claim)) complain([...path, i, 'claim'], 'is no JSON Pointer: `~` stands only in `~0` and `~1`');
}

export function checkRoles(
  { roles }: PolicyDocument,
  names: readonly string[],
  path: FieldPath,
  complain: Complain,
  field?: string,
): void {
  for (const [i, name] of names.entries())
    if (!Object.hasOwn(roles, name))
      complain(field === undefined ? [...path, 'roles', i] : [...path, field], 'is not one of `roles`');
}

/** Grants that a rule names; `kind` is the list of both. */
export function checkGrants(
  document: PolicyDocument,
  rule: Partial<Record<'airflow' | 'pipelines', readonly string[]>>,
  path: FieldPath,
  complain: Complain,
): void {
  for (const kind of ['airflow', 'pipelines'] as const)
    for (const [i, name] of (rule[kind] ?? []).entries())
      if (!Object.hasOwn(document[kind] ?? {}, name)) complain([...path, kind, i], `is not one of \`${kind}\``);
}

/** For whoever gets the tasks of a role's namespaces and nothing else. */
export function checkNamespaceRoles(
  document: PolicyDocument,
  names: readonly string[],
  path: FieldPath,
  complain: Complain,
): void {
  checkRoles(document, names, path, complain);
  for (const [i, name] of names.entries())
    if (Object.hasOwn(document.roles, name) && document.roles[name]?.namespaces === undefined)
      complain([...path, 'roles', i], 'has no `namespaces`, so that it gives nothing here');
}
