import type { ProfileName } from './caller.ts';
import type { IssuerSettings } from './issuer-settings.ts';

/** What the policy need not say about an issuer. */
export type IssuerDefaults = Pick<
  IssuerSettings,
  'algorithms' | 'maxLifetimeMs' | 'maxAgeMs' | 'use' | 'sharedAudience' | 'factsOnly'
>;

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const ID_TOKEN = { algorithms: ['RS256'], use: 'once', sharedAudience: false, factsOnly: false } as const;
const ACCESS_TOKEN = { ...ID_TOKEN, use: 'untilExpiry' } as const;

/**
 * Algorithms, lifetimes and use of each profile's tokens where the policy says nothing. Lifetimes are what the issuer
 * grants at most by default; `sharedAudience` is never a default.
 */
export function issuerDefaults(profile: ProfileName): IssuerDefaults {
  return DEFAULTS[profile];
}

const DEFAULTS: Readonly<Record<ProfileName, IssuerDefaults>> = {
  // Ten minutes; whoever else gets one with the same fixed audience could send it here, so its age counts as well.
  'azure-pipelines': { ...ID_TOKEN, maxLifetimeMs: 15 * MINUTE, maxAgeMs: 15 * MINUTE },
  // Those that Entra issues live 86,700 s. The audience is fixed and shared.
  'azure-connection': { ...ID_TOKEN, maxLifetimeMs: 25 * HOUR, maxAgeMs: HOUR },
  // 60 to 90 minutes for an application, a day for a managed identity.
  entra: { ...ACCESS_TOKEN, maxLifetimeMs: 25 * HOUR },
  // Five minutes, or the job's time-out, which is an hour unless the project says otherwise.
  gitlab: { ...ID_TOKEN, maxLifetimeMs: HOUR },
  github: { ...ID_TOKEN, maxLifetimeMs: 15 * MINUTE },
  // A projected token serves every request of its pod until the kubelet replaces it.
  kubernetes: { ...ACCESS_TOKEN, maxLifetimeMs: 24 * HOUR },
  oidc: { ...ID_TOKEN, maxLifetimeMs: HOUR },
};
