import { parseDuration } from '#core/duration.ts';
import { issuerDefaults } from '../auth/issuer-defaults.ts';
import type { IssuerSettings } from '../auth/issuer-settings.ts';
import type { IssuerEntry } from './policy-document.ts';

/** An issuer of the policy with the defaults of its profile. */
export function compileIssuer(name: string, entry: IssuerEntry): IssuerSettings {
  const { maxLifetime, maxAge, ...settings } = entry;
  const defaults = issuerDefaults(entry.profile);
  return {
    ...defaults,
    ...settings,
    name,
    maxLifetimeMs: milliseconds(maxLifetime) ?? defaults.maxLifetimeMs,
    maxAgeMs: milliseconds(maxAge) ?? defaults.maxAgeMs,
  };
}

function milliseconds(duration: string | undefined): number | undefined {
  return duration === undefined ? undefined : parseDuration(duration);
}
