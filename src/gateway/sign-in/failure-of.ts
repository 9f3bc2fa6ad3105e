import { SignInFailure, type SignInReason } from './sign-in-failure.ts';

/** Errors of RFC 6749 §5.2 that are about this gateway and not about who signs in. */
const OF_CLIENT: ReadonlySet<string> = new Set([
  'invalid_client',
  'unauthorized_client',
  'invalid_scope',
  'invalid_request',
  'unsupported_grant_type',
]);

/**
 * What the library threw, in our words. Its errors carry the answer, the claims and the code in `cause`: of all that only the
 * code of the error and what the provider says of it are kept.
 *
 * @param otherwise what an error is that says nothing of the provider's answer
 */
export function failureOf(thrown: unknown, otherwise: SignInReason = 'id-token'): SignInFailure {
  if (thrown instanceof SignInFailure) return thrown;
  const { cause } = thrown as { readonly cause?: unknown };
  if (cause instanceof SignInFailure) return cause;
  const { name, code, error, error_description: words } = thrown as Readonly<Record<string, unknown>>;
  const said = [code, error, words].filter((part) => typeof part === 'string').join(': ');
  if (name === 'AuthorizationResponseError') return new SignInFailure(reasonOf(error, 'provider-refused'), said);
  if (name === 'ResponseBodyError' || name === 'WWWAuthenticateChallengeError')
    return new SignInFailure(reasonOf(error, 'provider-refused'), said);
  return new SignInFailure(otherwise, said === '' ? String(name) : said);
}

function reasonOf(error: unknown, otherwise: SignInReason): SignInReason {
  if (error === 'temporarily_unavailable' || error === 'server_error') return 'provider-unavailable';
  return OF_CLIENT.has(String(error)) ? 'client-refused' : otherwise;
}
