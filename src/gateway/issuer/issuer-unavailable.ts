import { PlumblineError } from '#core/errors.ts';

/** No token can be issued at the moment; nothing else signs in its place. `why` is for operators and callers: no secret. */
export function issuerUnavailable(why: string, cause?: unknown): PlumblineError {
  return new PlumblineError('ERR_ISSUER_UNAVAILABLE', `Cannot issue a token: ${why}`, {
    cause,
    remedy: 'Look at /readyz and the log of the gateway; what can be tried again is.',
  });
}
