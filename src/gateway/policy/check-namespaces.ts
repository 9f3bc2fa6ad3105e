import type { Complain } from './check-document.ts';
import type { PolicyDocument } from './policy-document.ts';

/** The first two roles that have a namespace, and the first two of them that do not say why: for any third they are enough. */
interface Owners {
  readonly all: readonly string[];
  readonly silent: readonly string[];
}

/**
 * A namespace is of one role, and so is all that lies below it: luigid knows no roles, and whoever may act in a namespace acts on all
 * of its tasks. Two roles may have it in common when both say why.
 */
export function checkNamespaces({ roles }: PolicyDocument, complain: Complain): void {
  const owners = ownersOf(roles);
  const rank = new Map(Object.keys(roles).map((name, i) => [name, i]));
  const isEarlier = (one: string, two: string) => (rank.get(one) ?? 0) < (rank.get(two) ?? 0);
  for (const [name, { namespaces = [], sharedNamespaces }] of Object.entries(roles)) {
    for (const [i, namespace] of namespaces.entries()) {
      const [other] = withAncestors(namespace).flatMap((one) => {
        const { all = [], silent = [] } = owners.get(one) ?? {};
        const candidates = sharedNamespaces === undefined ? all : silent;
        // What both have alike is told once, at the later one.
        return candidates.filter((owner) => (one === namespace ? isEarlier(owner, name) : owner !== name));
      });
      if (other !== undefined)
        complain(
          ['roles', name, 'namespaces', i],
          `belongs to '${other}' too, and not both say why with \`sharedNamespaces\``,
        );
    }
  }
}

function ownersOf(roles: PolicyDocument['roles']): ReadonlyMap<string, Owners> {
  const owners = new Map<string, Owners>();
  for (const [name, { namespaces = [], sharedNamespaces }] of Object.entries(roles)) {
    for (const namespace of namespaces) {
      const { all = [], silent = [] } = owners.get(namespace) ?? {};
      owners.set(namespace, {
        all: [...all, name].slice(0, 2),
        silent: sharedNamespaces === undefined ? [...silent, name].slice(0, 2) : silent,
      });
    }
  }
  return owners;
}

/** `a` and `a.b` for `a.b`. Nothing lies below the empty one. */
function withAncestors(namespace: string): string[] {
  const steps = namespace.split('.');
  return steps.map((_, i) => steps.slice(0, i + 1).join('.'));
}
