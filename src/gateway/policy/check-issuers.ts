import { issuerConflicts, issuerProblems } from '../auth/issuer-problems.ts';
import { OWN_ISSUER } from '../auth/run-caller.ts';
import type { FieldPath } from '../config/yaml-source.ts';
import type { Complain } from './check-document.ts';
import { checkDuration } from './check-times.ts';
import { compileIssuer } from './compile-issuer.ts';
import { ANONYMOUS_ISSUER, LEGACY_ISSUER } from './policy.ts';
import type { IssuerEntry } from './policy-document.ts';

type Issuers = Readonly<Record<string, IssuerEntry>>;

const KEPT_NAMES: readonly string[] = [LEGACY_ISSUER, OWN_ISSUER, ANONYMOUS_ISSUER];
const PRIVATE_KEY_FIELDS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

export function checkIssuers(issuers: Issuers, complain: Complain): void {
  for (const [name, issuer] of Object.entries(issuers)) {
    const path = ['issuers', name];
    if (KEPT_NAMES.includes(name)) complain(path, 'is a name that the gateway keeps for itself');
    checkText(issuer, path, complain);
    checkPublic(issuer, path, complain);
    checkSettings(name, issuer, path, complain);
  }
  const settings = Object.entries(issuers).map(([name, issuer]) => compileIssuer(name, issuer));
  for (const { name, other } of issuerConflicts(settings))
    complain(['issuers', name, 'audiences'], `has an audience of the same issuer that '${other}' has too`);
}

/** `iss` is compared as text, so nothing may stand in it that an issuer never writes. */
function checkText({ issuer, maxLifetime, maxAge }: IssuerEntry, path: FieldPath, complain: Complain): void {
  if (/[?#\\]/.test(issuer)) complain([...path, 'issuer'], 'must have no query, no fragment and no backslash');
  if (maxLifetime !== undefined) checkDuration(maxLifetime, [...path, 'maxLifetime'], complain);
  if (maxAge !== undefined) checkDuration(maxAge, [...path, 'maxAge'], complain);
}

function checkPublic({ jwks }: IssuerEntry, path: FieldPath, complain: Complain): void {
  for (const [i, key] of (jwks?.keys ?? []).entries()) {
    const secret = PRIVATE_KEY_FIELDS.find((field) => Object.hasOwn(key, field));
    const at = [...path, 'jwks', 'keys', i];
    if (secret !== undefined)
      complain([...at, secret], 'is a part of a private or shared key, which does not belong here');
  }
}

function checkSettings(name: string, issuer: IssuerEntry, path: FieldPath, complain: Complain): void {
  for (const { level, field, why } of issuerProblems(compileIssuer(name, issuer)))
    if (level === 'error' && !KEPT_NAMES.includes(name)) complain([...path, field], why);
}
