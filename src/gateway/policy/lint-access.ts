import { Glob } from './glob.ts';
import { globsCover } from './globs-cover.ts';
import { rolesOf } from './lint-roles.ts';
import { nameOf } from './pinned-claims.ts';
import { ANONYMOUS_ISSUER } from './policy.ts';
import type { BindingEntry, ConditionEntry, ViewerEntry } from './policy-document.ts';
import type { Finding, LintRule } from './policy-lint.ts';

/** Names of persons that can pass to somebody else. */
const MUTABLE = ['email', 'preferred_username', 'upn', 'unique_name', 'name', 'nickname'];
const IDS = ['sub', 'oid'];
/** What everybody has who can sign in at all. */
const COMMON = ['iss', 'aud'];

/** Calls that bring nothing: for a time, and from somewhere. */
export const anonymousOpen: LintRule = ({ document }) =>
  document.bindings.flatMap((binding, i): Finding[] => {
    if (binding.issuer !== ANONYMOUS_ISSUER || binding.mode !== 'report') return [];
    const why = openWords(binding);
    if (why === undefined) return [];
    const remedy = 'Name the addresses of the old workers, and with `until` the day on which they have moved over.';
    return [{ rule: 'anonymous-open', path: ['bindings', i], remedy, ...why }];
  });

function openWords({ match, until }: BindingEntry): Pick<Finding, 'severity' | 'message'> | undefined {
  if (match.all.every(isAnybody))
    return {
      severity: 'high',
      message: 'lets everybody act at luigid who reaches the gateway, without any credential',
    };
  if (until !== undefined) return undefined;
  return { severity: 'medium', message: 'lets whoever has these addresses act at luigid, and never ends' };
}

/** What is doubtful with a viewer by itself. */
export const doubtfulViewer: LintRule = ({ document: { viewers = [] } }, now) =>
  viewers.flatMap((viewer, i) => {
    const path = ['viewers', i];
    return [...openViewer(viewer, path), ...conditionFindings(viewer, path), ...overFinding(viewer, path, now)];
  });

function openViewer({ match, access }: ViewerEntry, path: Finding['path']): Finding[] {
  if (!match.all.every((entry) => isAnybody(entry) || COMMON.includes(nameOf(entry.claim)))) return [];
  const severity = access === 'read' ? 'medium' : 'high';
  const message = 'is everybody who can sign in';
  const remedy = 'Add a condition on a group or a role of theirs.';
  return [{ rule: 'open-viewer', severity, path: [...path, 'match'], message, remedy }];
}

function conditionFindings({ match: { all } }: ViewerEntry, path: Finding['path']): Finding[] {
  const isPinned = all.some((entry) => ('equals' in entry || 'oneOf' in entry) && IDS.includes(nameOf(entry.claim)));
  return all.flatMap((entry, i): Finding[] => {
    const at = [...path, 'match', 'all', i];
    const found: Finding[] = [];
    if (MUTABLE.includes(nameOf(entry.claim)) && !isPinned)
      found.push({
        rule: 'mutable-name',
        severity: 'medium',
        path: [...at, 'claim'],
        message: 'is a name that can pass to somebody else',
        remedy: `Add a condition on ${IDS.join(' or ')}, which never does, or on a group.`,
      });
    if ('glob' in entry && entry.glob.startsWith('*') && !isAnybody(entry))
      found.push({
        rule: 'wildcard-start',
        severity: 'high',
        path: [...at, 'glob'],
        message: 'begins with a wildcard: whoever chooses the beginning of this claim gets in',
        remedy: 'Write the beginning out, or list the values with oneOf.',
      });
    return found;
  });
}

function overFinding({ until }: ViewerEntry, path: Finding['path'], now: number): Finding[] {
  if (until === undefined || Date.parse(until) > now) return [];
  return [{ rule: 'unreachable', severity: 'low', path, message: 'its time is over', remedy: 'Remove it.' }];
}

/** Where luigid is behind the gateway, a role without namespaces can do nothing there. */
export const noNamespaces: LintRule = (parts) => {
  const roles = rolesOf(parts);
  if (!roles.some(([, { namespaces }]) => namespaces !== undefined)) return [];
  return roles.flatMap(([name, { namespaces, scheduler }]): Finding[] => {
    if (namespaces !== undefined || scheduler !== undefined) return [];
    const message = 'has no `namespaces` as others do: at a luigid behind the gateway its workers can do nothing';
    const remedy = "Name the Luigi namespaces of its tasks; `''` is that of tasks without one.";
    return [{ rule: 'no-namespaces', severity: 'medium', path: ['roles', name], message, remedy }];
  });
};

/** Tasks that a role may start and that luigid would not take from its workers. */
export const outsideNamespaces: LintRule = ({ roles }) =>
  [...roles.values()].flatMap(({ role, tasks }): Finding[] => {
    const { name, namespaces, scheduler } = role;
    if (namespaces.length === 0 || scheduler !== undefined) return [];
    const own = namespaces.map((namespace) => new Glob(namespace === '' ? '*' : `${namespace}.**`));
    if (globsCover(own, tasks) !== false) return [];
    const message =
      'names tasks outside of `namespaces`: a luigid behind the gateway takes none of them from its workers';
    const remedy = 'Name their namespace, or `scheduler: local`.';
    return [{ rule: 'outside-namespaces', severity: 'medium', path: ['roles', name, 'tasks'], message, remedy }];
  });

/** A condition that every text meets, or every address. */
function isAnybody(entry: ConditionEntry): boolean {
  return 'exists' in entry || ('glob' in entry && /^[*.:]*\*[*.:]*$/.test(entry.glob));
}
