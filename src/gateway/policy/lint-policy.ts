import { anonymousOpen, doubtfulViewer, noNamespaces, outsideNamespaces } from './lint-access.ts';
import {
  azureUnpinned,
  mutableName,
  reportMode,
  sharedAudience,
  sharedIssuer,
  unprotectedRef,
  wildcardStart,
} from './lint-bindings.ts';
import { uncoveredFamily, unreachableFamily } from './lint-families.ts';
import { airflowAdmin, airflowReport, openRef, sharedAirflowUser, unusedGrant } from './lint-grants.ts';
import { gatewayUser, isolation, productionIdentity, sameIdentity, unusedIdentity } from './lint-identities.ts';
import { doubtfulIssuer, unusedIssuer } from './lint-issuers.ts';
import { legacyEnd, unreachable } from './lint-reach.ts';
import { openRole, unusedRole } from './lint-roles.ts';
import type { LoadedPolicy } from './loaded-policy.ts';
import type { LintRule, LintSeverity, PolicyLint } from './policy-lint.ts';

const RULES: readonly LintRule[] = [
  azureUnpinned,
  sharedIssuer,
  mutableName,
  wildcardStart,
  sharedAudience,
  unprotectedRef,
  isolation,
  gatewayUser,
  productionIdentity,
  sameIdentity,
  uncoveredFamily,
  unreachableFamily,
  openRole,
  openRef,
  airflowAdmin,
  airflowReport,
  sharedAirflowUser,
  anonymousOpen,
  doubtfulViewer,
  noNamespaces,
  outsideNamespaces,
  unreachable,
  legacyEnd,
  doubtfulIssuer,
  unusedRole,
  unusedIssuer,
  unusedIdentity,
  unusedGrant,
  reportMode,
];
const ORDER: readonly LintSeverity[] = ['high', 'medium', 'low'];

/**
 * What a good policy does not say, the gravest first. It never keeps a policy from being loaded.
 *
 * @param now milliseconds since the epoch: what is over by then is told.
 */
export function lintPolicy({ parts }: LoadedPolicy, now: number): readonly PolicyLint[] {
  const findings = RULES.flatMap((rule) => rule(parts, now));
  const lints = findings.map(({ path, message, ...rest }) => ({ ...parts.place(path, message), ...rest }));
  return lints.toSorted((a, b) => ORDER.indexOf(a.severity) - ORDER.indexOf(b.severity) || a.line - b.line);
}
