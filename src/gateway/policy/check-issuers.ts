import { OWN_ISSUER } from '../auth/run-caller.ts';
import { isLoopback } from '../config/read-gateway-config.ts';
import type { FieldPath } from '../config/yaml-source.ts';
import type { Complain } from './check-document.ts';
import { checkDuration } from './check-times.ts';
import { LEGACY_ISSUER } from './policy.ts';
import type { IssuerEntry } from './policy-document.ts';

type Issuers = Readonly<Record<string, IssuerEntry>>;

/** Audiences that every Azure tenant's federated credentials have: whoever gets such a token can bring it here. */
export const SHARED_AUDIENCES: readonly string[] = [
  'api://AzureADTokenExchange',
  'api://AzureADTokenExchangeUSGov',
  'api://AzureADTokenExchangeChina',
  'fb60f99c-7a34-4190-8149-302f77469936',
];
const PRIVATE_KEY_FIELDS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

export function checkIssuers(issuers: Issuers, complain: Complain): void {
  for (const [name, issuer] of Object.entries(issuers)) {
    if (name === LEGACY_ISSUER || name === OWN_ISSUER) complain(['issuers', name], 'is a name that the gateway keeps');
    checkIssuer(issuer, ['issuers', name], complain);
  }
  checkPairs(issuers, complain);
}

function checkIssuer(issuer: IssuerEntry, path: FieldPath, complain: Complain): void {
  const { jwksUri, jwks, maxLifetime, maxAge } = issuer;
  const why = urlProblem(issuer.issuer, true);
  if (why !== undefined) complain([...path, 'issuer'], why);
  const whyNot = jwksUri === undefined ? undefined : urlProblem(jwksUri, false);
  if (whyNot !== undefined) complain([...path, 'jwksUri'], whyNot);
  if (jwks !== undefined && jwksUri !== undefined)
    complain([...path, 'jwks'], "cannot be used together with 'jwksUri'");
  for (const [i, key] of (jwks?.keys ?? []).entries()) checkKey(key, [...path, 'jwks', 'keys', i], complain);
  if (maxLifetime !== undefined) checkDuration(maxLifetime, [...path, 'maxLifetime'], complain);
  if (maxAge !== undefined) checkDuration(maxAge, [...path, 'maxAge'], complain);
  checkAudiences(issuer, path, complain);
}

function checkAudiences(
  { profile, audiences, sharedAudience }: IssuerEntry,
  path: FieldPath,
  complain: Complain,
): void {
  if (sharedAudience === true) return;
  const shared = audiences.findIndex((audience) => SHARED_AUDIENCES.includes(audience));
  if (shared >= 0) {
    complain([...path, 'audiences', shared], 'is an audience of every Azure tenant: needs `sharedAudience: true`');
  } else if (profile === 'azure-connection') {
    complain([...path, 'profile'], 'has tokens that others can replay: needs `sharedAudience: true`');
  }
}

/** Exact texts are compared, so only one spelling is allowed to be a name. */
function urlProblem(text: string, isName: boolean): string | undefined {
  const url = URL.parse(text);
  if (url === null || /[\s\\]/.test(text) || !/^https?:\/\/[^/]/.test(text)) return 'must be an https URL';
  if (url.protocol !== 'https:' && !isLoopback(url.hostname)) return 'must begin with https://';
  if (url.username || url.password) return 'must have no user info';
  return isName && /[?#]/.test(text) ? 'must have no query and no fragment' : undefined;
}

function checkKey(key: Readonly<Record<string, unknown>>, path: FieldPath, complain: Complain): void {
  const secret = PRIVATE_KEY_FIELDS.find((field) => Object.hasOwn(key, field));
  if (secret !== undefined)
    complain([...path, secret], 'is a part of a private or shared key, which does not belong here');
  else if (!['RSA', 'EC', 'OKP'].includes(String(key['kty']))) complain([...path, 'kty'], 'must be RSA, EC or OKP');
}

/** A token's issuer and audience lead to one entry. */
function checkPairs(issuers: Issuers, complain: Complain): void {
  const seen = new Set<string>();
  for (const [name, { issuer, audiences }] of Object.entries(issuers)) {
    for (const [i, audience] of audiences.entries()) {
      const pair = JSON.stringify([issuer, audience]);
      if (seen.has(pair))
        complain(['issuers', name, 'audiences', i], 'another issuer has the same issuer and audience');
      seen.add(pair);
    }
  }
}
