import {
  createLocalJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  errors,
  type JSONWebKeySet,
  type JWTPayload,
  jwtVerify,
} from 'jose';
import { EntraError } from './entra-error.ts';
import { EXCHANGE_APPLICATION, EXCHANGE_AUDIENCE, isEntraIssuer } from './federation.ts';
import type { FederatedCredential, Identity } from './world.ts';

/**
 * Finds what an issuer publishes, by its exact name and for the key that a token names; `undefined`: nobody can be reached there.
 * May throw an EntraError that says why.
 */
export type PublishedKeys = (
  issuer: string,
  kid: string | undefined,
) => JSONWebKeySet | undefined | Promise<JSONWebKeySet | undefined>;

const DOCS = 'https://learn.microsoft.com/entra/workload-id/workload-identity-federation';
const CHECK =
  'Please check your federated identity credential Subject, Audience and Issuer against the presented assertion.';
const SKEW_SECONDS = 300;

/**
 * What Entra does with a federated client assertion: match it against the identity's credentials, then verify its signature
 * against its issuer's published keys, then its times.
 *
 * @param now milliseconds since the epoch.
 * @throws EntraError in every other case than a good assertion.
 */
export async function verifyClientAssertion(
  assertion: string,
  identity: Identity,
  keys: PublishedKeys,
  now: number,
): Promise<void> {
  const claims = decode(assertion);
  matchCredential(claims, identity.federatedCredentials);
  await verifySignature(assertion, await keys(claims.iss as string, decodeProtectedHeader(assertion).kid));
  checkTimes(claims, Math.floor(now / 1_000));
}

function decode(assertion: string): JWTPayload {
  try {
    decodeProtectedHeader(assertion);
    return decodeJwt(assertion);
  } catch {
    throw new EntraError(50027, 'JWT token is invalid or malformed.');
  }
}

function matchCredential(claims: JWTPayload, credentials: readonly FederatedCredential[]): void {
  const sameIssuer = credentials.filter(({ issuer }) => issuer === claims.iss);
  if (sameIssuer.length === 0) throw noMatch(700211, 'issuer', claims.iss);
  const sameAudience = sameIssuer.filter((credential) => audienceMatches(claims, credential));
  if (sameAudience.length === 0) throw noMatch(700212, 'audience', String(claims.aud));
  if (!sameAudience.some(({ subject }) => subject === claims.sub)) throw noMatch(700213, 'subject', claims.sub);
}

/** Tokens of the Entra issuer carry the GUID of the resource whose URI the credential names. */
function audienceMatches(claims: JWTPayload, credential: FederatedCredential): boolean {
  if (claims.aud === credential.audience) return true;
  return (
    isEntraIssuer(credential.issuer) && credential.audience === EXCHANGE_AUDIENCE && claims.aud === EXCHANGE_APPLICATION
  );
}

function noMatch(code: number, what: string, presented: string | undefined): EntraError {
  return new EntraError(
    code,
    `No matching federated identity record found for presented assertion ${what} '${presented}'. ${CHECK} ${DOCS}`,
  );
}

async function verifySignature(assertion: string, keys: JSONWebKeySet | undefined): Promise<void> {
  if (keys === undefined) throw new EntraError(50166, 'Request to External OIDC endpoint failed.');
  try {
    // Times are Entra's own step: they have a code of their own.
    await jwtVerify(assertion, createLocalJWKSet(keys), {
      algorithms: ['RS256'],
      currentDate: new Date(0),
      clockTolerance: Number.MAX_SAFE_INTEGER,
    });
  } catch (error) {
    throw signatureError(error, assertion);
  }
}

/** The unknown key as in azure-workload-identity issue 1232; which code the other two get in the service is not known. */
function signatureError(error: unknown, assertion: string): EntraError {
  if (error instanceof errors.JWKSNoMatchingKey) {
    const { kid } = decodeProtectedHeader(assertion);
    return new EntraError(
      7000272,
      `The certificate with identifier ${kid} used to sign the federated credential could not be found in the metadata of identity provider ${decodeJwt(assertion).iss}. Please validate that your Identity Provider's metadata exposes the key used to sign the incoming token.`,
    );
  }
  if (error instanceof errors.JOSEAlgNotAllowed || error instanceof errors.JWSInvalid) {
    return new EntraError(
      700027,
      'Client assertion contains an invalid signature. [Reason - The signature algorithm is not supported.]',
    );
  }
  return new EntraError(
    50013,
    'Assertion failed signature validation. [Reason - The provided signature value did not match the expected signature value.]',
  );
}

function checkTimes({ nbf, exp }: JWTPayload, now: number): void {
  if (exp === undefined) throw new EntraError(50027, 'JWT token is invalid or malformed. It has no expiry.');
  if (now < exp && now + SKEW_SECONDS >= (nbf ?? 0)) return;
  const [current, from, until] = [now, nbf ?? 0, exp].map((time) => new Date(time * 1_000).toISOString());
  throw new EntraError(
    700024,
    `Client assertion is not within its valid time range. Current time: ${current}, assertion valid from ${from}, expiry time of assertion ${until}. Review the documentation at https://learn.microsoft.com/entra/identity-platform/certificate-credentials .`,
  );
}
