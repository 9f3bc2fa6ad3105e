import type { FieldPath } from '../config/yaml-source.ts';
import type { Complain } from './check-document.ts';
import { isCredentialVariable } from './credential-variables.ts';
import type { PolicyDocument, RoleEntry } from './policy-document.ts';

/** What the gateway itself puts into the environment of a role's stock workers. */
const STOCK_VARIABLES = ['PLUMBLINE_SCHEDULER_URL', 'PLUMBLINE_WORKER_ID'];

type Variables = readonly { readonly name: string; readonly path: FieldPath }[];

/** What a role says about tokens of tasks and about stock workers, for itself. */
export function checkTaskIdentities(document: PolicyDocument, complain: Complain): void {
  for (const [name, role] of Object.entries(document.roles)) {
    const path = ['roles', name];
    checkNames(document, role, path, complain);
    if (role.taskIdentities !== undefined) checkCredentials(role, path, complain);
    checkFiles(document, role, path, complain);
    checkStock(role, path, complain);
  }
}

function checkNames(
  { identities = {} }: PolicyDocument,
  { taskIdentities = [] }: RoleEntry,
  path: FieldPath,
  complain: Complain,
): void {
  for (const [i, { identity }] of taskIdentities.entries())
    if (identity !== undefined && !Object.hasOwn(identities, identity))
      complain([...path, 'taskIdentities', i, 'identity'], 'is not one of `identities`');
}

/** SDKs look for keys and secrets before they look for a token's file. */
function checkCredentials(role: RoleEntry, path: FieldPath, complain: Complain): void {
  for (const { name, path: at } of variablesOf(role, path))
    if (isCredentialVariable(name)) complain(at, 'would win over the tokens of `taskIdentities`');
}

function checkFiles({ identities = {} }: PolicyDocument, role: RoleEntry, path: FieldPath, complain: Complain): void {
  const own = new Set(variablesOf(role, path).map(({ name }) => name));
  for (const [i, { identity = '' }] of (role.taskIdentities ?? []).entries()) {
    const files = (Object.hasOwn(identities, identity) && identities[identity]?.files) || [];
    if (files.some(({ variable }) => own.has(variable)))
      complain([...path, 'taskIdentities', i, 'identity'], 'has a file in a variable that this role sets itself');
  }
}

function checkStock(role: RoleEntry, path: FieldPath, complain: Complain): void {
  if (role.stockLuigi !== true) return;
  if (role.scheduler !== undefined)
    complain([...path, 'stockLuigi'], "needs the gateway's luigid, and `scheduler` names another");
  for (const { name, path: at } of variablesOf(role, path))
    if (STOCK_VARIABLES.includes(name)) complain(at, 'is set by the gateway for `stockLuigi`');
}

function variablesOf({ variables = {}, secrets = [] }: RoleEntry, path: FieldPath): Variables {
  return [
    ...Object.keys(variables).map((name) => ({ name, path: [...path, 'variables', name] })),
    ...secrets.flatMap(({ target, name }, i) =>
      target === 'environment' ? [{ name, path: [...path, 'secrets', i, 'name'] }] : [],
    ),
  ];
}
