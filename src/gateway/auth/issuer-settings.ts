import type { ProfileName, TokenUse } from './caller.ts';

/** One issuer of the policy, with its defaults filled in. The pair of `issuer` and one of `audiences` finds it. */
export interface IssuerSettings {
  /** Its name in the policy. */
  readonly name: string;
  readonly profile: ProfileName;
  /** Exact `iss`. */
  readonly issuer: string;
  /** At least one; exact. */
  readonly audiences: readonly string[];
  readonly algorithms: readonly ('RS256' | 'RS384' | 'RS512' | 'PS256' | 'ES256' | 'ES384' | 'EdDSA' | 'Ed25519')[];
  /** Without it the discovery document of `issuer` names it. */
  readonly jwksUri?: string | undefined;
  /** For issuers that cannot be reached: the key set itself. */
  readonly jwks?: { readonly keys: readonly Readonly<Record<string, unknown>>[] } | undefined;
  /** Longest `exp - iat` that is accepted. */
  readonly maxLifetimeMs: number;
  /** Longest time since `iat`; absent: not limited but by `exp`. */
  readonly maxAgeMs?: number | undefined;
  readonly use: Exclude<TokenUse, 'run'>;
  /** Its audience is shared with other relying parties, who could replay a token here: must be said on purpose. */
  readonly sharedAudience: boolean;
  /** It only signs run facts beside another token and authorises nobody. */
  readonly factsOnly: boolean;
}
