import type { IssuerSettings } from '../auth/issuer-settings.ts';
import type { BindingEntry, ConditionEntry } from './policy-document.ts';
import type { PolicyParts } from './policy-parts.ts';

/** A token that a binding looks at, with its conditions on it. */
export interface BoundToken {
  readonly issuer: IssuerSettings;
  readonly conditions: readonly { readonly entry: ConditionEntry; readonly index: number }[];
  /** It lies beside the one that is authorised. */
  readonly isRunFacts: boolean;
}

/** The token that a binding authorises and, when it names an issuer for it, the one beside. */
export function boundTokens({ issuers }: PolicyParts, binding: BindingEntry): readonly BoundToken[] {
  const all = binding.match.all.map((entry, index) => ({ entry, index }));
  return [false, true].flatMap((isRunFacts) => {
    const issuer = issuers.get((isRunFacts ? binding.runFactsIssuer : binding.issuer) ?? '');
    const conditions = all.filter(({ entry }) => (entry.runFacts === true) === isRunFacts);
    return issuer === undefined ? [] : [{ issuer, conditions, isRunFacts }];
  });
}

/** Claims that must be one of some values that the policy spells out. */
export function pinnedClaims({ conditions }: BoundToken): ReadonlySet<string> {
  const pinned = conditions.filter(({ entry }) => 'equals' in entry || 'oneOf' in entry);
  return new Set(pinned.map(({ entry }) => nameOf(entry.claim)));
}

/** Claims with any condition that not every text meets. */
export function restrictedClaims({ conditions }: BoundToken): ReadonlySet<string> {
  const restricted = conditions.filter(
    ({ entry }) => !('exists' in entry) && !('glob' in entry && /^\*+$/.test(entry.glob)),
  );
  return new Set(restricted.map(({ entry }) => nameOf(entry.claim)));
}

/** A pointer to a claim of the first level is that claim. */
export function nameOf(claim: string): string {
  return /^\/[^/~]+$/.test(claim) ? claim.slice(1) : claim;
}
