import { isActive, type Viewer } from './binding.ts';
import { claimMatches } from './condition.ts';
import { knowsPerson, permissionOf } from './decide-viewer.ts';
import { type ExampleOutcome, inWords } from './example-outcome.ts';
import { exampleTime } from './example-time.ts';
import { isInNamespaces, type LuigidPermission, type Namespaces } from './luigid-access.ts';
import type { DecisionReason } from './policy-answer.ts';
import type { ViewerExampleEntry } from './policy-document.ts';
import type { PolicyParts } from './policy-parts.ts';

/**
 * Tries an example of a viewer: an allowed person must be known to it; a denied one must not be, and the other viewers together must
 * not give as much as it gives.
 */
export function tryViewerExample(
  parts: PolicyParts,
  viewer: Viewer,
  { claims, at }: ViewerExampleEntry,
  expected: 'allow' | 'deny',
): ExampleOutcome {
  const { now, counts } = exampleTime(viewer, at);
  const reasons = refusals(viewer, claims, now);
  const outcome = reasons.length === 0 ? 'allowed' : `refused: ${inWords(reasons)}`;
  if (expected === 'allow' || reasons.length === 0)
    return { passed: (reasons.length === 0) === (expected === 'allow'), outcome, reasons };
  const others = parts.viewers.filter((other) => counts(other) && isActive(other, now) && knowsPerson(other, claims));
  const given = permissionOf(others, parts.sha256);
  if (!givesAsMuch(given, viewer)) return { passed: true, outcome, reasons };
  const rules = given.rules.map((rule) => ({ reason: 'viewer', rule }));
  return { passed: false, outcome: `allowed by '${given.rules.join("', '")}'`, reasons: rules };
}

function refusals(viewer: Viewer, claims: ViewerExampleEntry['claims'], now: number): DecisionReason[] {
  const rule = viewer.name;
  const failed = viewer.conditions.filter((condition) => !claimMatches(condition, condition.read(claims)));
  const reasons = failed.map(({ claim }) => ({ reason: 'claim-mismatch', rule, field: `claim ${claim}` }));
  return isActive(viewer, now) ? reasons : [...reasons, { reason: 'outside-period', rule, field: 'from, until' }];
}

function givesAsMuch({ read, operate, admin }: LuigidPermission, { access, namespaces }: Viewer): boolean {
  if (access === 'admin') return admin;
  return holdsAll(access === 'operate' ? operate : read, namespaces);
}

function holdsAll(given: Namespaces, wanted: Namespaces): boolean {
  if (given === 'all' || wanted === 'all') return given === 'all';
  return wanted.every((namespace) => isInNamespaces(namespace === '' ? 'T' : `${namespace}.T`, given));
}
