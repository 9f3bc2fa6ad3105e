import type { FieldPath } from '../config/yaml-source.ts';
import type { IdentityEntry, PolicyDocument, RoleEntry } from './policy-document.ts';

/** An identity that a role has, for its workers or for some of its tasks. */
export interface IdentityUse {
  readonly role: string;
  readonly entry: RoleEntry;
  /** Where the role names it. */
  readonly path: FieldPath;
  readonly kind: 'worker' | 'task';
  /** As the role calls it. */
  readonly name: string;
  /** Who it is to clouds. What two uses have in common is one and the same identity, whatever its names. */
  readonly principals: readonly string[];
  /** Somebody said why another role has it too. */
  readonly isSaidWhy: boolean;
}

/** Every identity of every role, each once a role, in the order of the file. */
export function identityUses(document: PolicyDocument): readonly IdentityUse[] {
  return Object.entries(document.roles).flatMap(([role, entry]) => usesOf(document, role, entry));
}

/** Names and the clouds' own ids, as clouds compare them: without regard to case. */
export function principalsOf(name: string, identity: IdentityEntry): readonly string[] {
  const { azure, aws, google } = identity;
  const ids = [name, azure?.clientId, aws?.roleArn, google?.serviceAccount];
  return ids.flatMap((id) => (id === undefined ? [] : [id.toLowerCase()]));
}

function usesOf({ identities = {} }: PolicyDocument, role: string, entry: RoleEntry): IdentityUse[] {
  const { workerIdentity, sharedIdentity, taskIdentities = [] } = entry;
  const uses = new Map<string, IdentityUse>();
  for (const [i, { identity: name = '' }] of taskIdentities.entries()) {
    const identity = Object.hasOwn(identities, name) ? identities[name] : undefined;
    if (identity === undefined || uses.has(name)) continue;
    const { sharedBy } = identity;
    const path = ['roles', role, 'taskIdentities', i, 'identity'];
    const principals = principalsOf(name, identity);
    const isSaidWhy = sharedBy !== undefined;
    uses.set(name, { role, entry, path, kind: 'task', name, principals, isSaidWhy });
  }
  if (workerIdentity === undefined) return [...uses.values()];
  const worker: IdentityUse = {
    role,
    entry,
    path: ['roles', role, 'workerIdentity'],
    kind: 'worker',
    name: workerIdentity,
    principals: [workerIdentity.toLowerCase()],
    isSaidWhy: sharedIdentity !== undefined,
  };
  return [worker, ...uses.values()];
}
