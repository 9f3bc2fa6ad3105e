import type { FieldPath, FileProblem } from '../config/yaml-source.ts';
import { checkAccessGrants } from './check-access-grants.ts';
import { checkBinding, checkDeny, checkLegacy } from './check-bindings.ts';
import { checkIdentities } from './check-identities.ts';
import { checkIdentityUses } from './check-identity-uses.ts';
import { checkIssuers } from './check-issuers.ts';
import { checkNamespaces } from './check-namespaces.ts';
import { checkRole } from './check-role.ts';
import { checkTaskIdentities } from './check-task-identities.ts';
import { checkViewer } from './check-viewers.ts';
import type { PolicyDocument } from './policy-document.ts';
import type { Place } from './schema-problems.ts';

/** Adds a problem at a field. */
export type Complain = (path: FieldPath, message: string) => void;

/** What a policy of the right shape still has wrong: names that lead nowhere, times that are none, fields that exclude each other. */
export function checkDocument(document: PolicyDocument, place: Place): FileProblem[] {
  const problems: FileProblem[] = [];
  const complain: Complain = (path, message) => problems.push(place(path, message));
  checkIssuers(document.issuers, complain);
  checkSomething(document, complain);
  for (const [name, role] of Object.entries(document.roles)) checkRole(role, ['roles', name], complain);
  checkAccessGrants(document, complain);
  checkIdentities(document, complain);
  checkTaskIdentities(document, complain);
  checkIdentityUses(document, complain);
  checkNamespaces(document, complain);
  checkNames(document, complain);
  for (const [i, binding] of document.bindings.entries()) checkBinding(document, binding, ['bindings', i], complain);
  for (const [i, rule] of (document.deny ?? []).entries()) checkDeny(document, rule, ['deny', i], complain);
  checkLegacy(document, complain);
  for (const [i, viewer] of (document.viewers ?? []).entries()) checkViewer(document, viewer, ['viewers', i], complain);
  return problems;
}

function checkSomething({ roles, airflow = {}, pipelines = {} }: PolicyDocument, complain: Complain): void {
  const isEmpty = [roles, airflow, pipelines].every((entries) => Object.keys(entries).length === 0);
  if (isEmpty) complain(['roles'], 'is needed where there is neither `airflow` nor `pipelines`');
}

/** Decisions, audit and metrics name a rule by its name alone. */
function checkNames({ bindings, deny = [], legacy = [], viewers = [] }: PolicyDocument, complain: Complain): void {
  const seen = new Set<string>();
  const lists = { bindings, deny, legacy, viewers };
  for (const [list, rules] of Object.entries(lists)) {
    for (const [i, { name }] of rules.entries()) {
      const others =
        list === 'viewers' ? 'binding, deny rule, credential or viewer' : 'binding, deny rule or credential';
      if (seen.has(name)) complain([list, i, 'name'], `is the name of another ${others} too`);
      seen.add(name);
    }
  }
}
