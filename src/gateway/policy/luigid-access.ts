/** What a person may do with luigid: see its tasks, change single tasks and workers, change luigid as a whole. */
export type LuigidAccess = 'read' | 'operate' | 'admin';

/** Namespaces of tasks, each with those below it; `all`: those of every task. */
export type Namespaces = readonly string[] | 'all';

/** What the policy says of a person who signed in, or of a call that brings nothing. */
export interface LuigidPermission {
  /** Whose tasks may be seen. */
  readonly read: Namespaces;
  /** Whose tasks and workers may be changed one by one; always a part of `read`. */
  readonly operate: Namespaces;
  /** luigid as a whole may be changed; `read` and `operate` are `all` then. */
  readonly admin: boolean;
  /** Names of the viewers or of the bindings that say so. */
  readonly rules: readonly string[];
  /** SHA-256 of the policy. */
  readonly policy: string;
}

/** What a call that brings nothing may do while a binding of the issuer `anonymous` reports. */
export interface AnonymousPermission {
  readonly permission: LuigidPermission;
  /** The first of its bindings. */
  readonly binding: string;
}

/**
 * Whether a task or family belongs to one of the namespaces. A family is `<namespace>.<class>`; the namespace of a family
 * without a dot is the empty text. A namespace holds those below it (`sales` holds `sales.eu`); the empty one holds only itself.
 * A task's id is its family, `_`, and what no dot can be in, so its last dot ends the namespace too.
 */
export function isInNamespaces(familyOrTaskId: string, namespaces: Namespaces): boolean {
  if (namespaces === 'all') return true;
  const end = familyOrTaskId.lastIndexOf('.');
  const namespace = end === -1 ? '' : familyOrTaskId.slice(0, end);
  return namespaces.some((own) => own === namespace || (own !== '' && namespace.startsWith(`${own}.`)));
}
