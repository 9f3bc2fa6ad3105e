import type { Clock } from '#core/clock.ts';
import type { Logger } from '#core/logger.ts';
import type { Http } from '#http/http.ts';
import type { Authenticator } from './authenticator.ts';
import type { IssuerSettings } from './issuer-settings.ts';

export interface AuthenticatorCollaborators {
  readonly http: Http;
  readonly clock: Clock;
  readonly log?: Pick<Logger, 'info' | 'debug'> | undefined;
}

export function createAuthenticator(
  _issuers: readonly IssuerSettings[],
  _collaborators: AuthenticatorCollaborators,
): Authenticator {
  throw new TypeError('not yet');
}
