import type { FieldPath } from '../config/yaml-source.ts';
import type { Complain } from './check-document.ts';
import { checkConditions, checkNamespaceRoles } from './check-references.ts';
import { checkInstant, checkPeriod } from './check-times.ts';
import type { PolicyDocument, ViewerEntry } from './policy-document.ts';

export function checkViewer(document: PolicyDocument, viewer: ViewerEntry, path: FieldPath, complain: Complain): void {
  const { match, examples } = viewer;
  checkConditions(match.all, [...path, 'match', 'all'], complain);
  for (const [i, { runFacts }] of match.all.entries())
    if (runFacts === true) complain([...path, 'match', 'all', i, 'runFacts'], 'is nothing that a person has');
  checkReach(document, viewer, path, complain);
  checkPeriod(viewer, path, complain);
  for (const list of ['allow', 'deny'] as const)
    for (const [i, { at }] of examples[list].entries())
      if (at !== undefined) checkInstant(at, [...path, 'examples', list, i, 'at'], complain);
}

function checkReach(document: PolicyDocument, viewer: ViewerEntry, path: FieldPath, complain: Complain): void {
  const { roles, access } = viewer;
  if (roles === 'all') return;
  checkNamespaceRoles(document, roles, path, complain);
  if (access === 'admin') complain([...path, 'access'], 'needs `roles: all`: luigid as a whole is of no role');
}
