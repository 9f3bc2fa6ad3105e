import type { FieldPath } from '../config/yaml-source.ts';
import { checkAnonymous } from './check-anonymous.ts';
import type { Complain } from './check-document.ts';
import { checkExample } from './check-example.ts';
import { checkConditions, checkGrants, checkRoles } from './check-references.ts';
import { checkInstant, checkPeriod } from './check-times.ts';
import { ANONYMOUS_ISSUER, LEGACY_ISSUER } from './policy.ts';
import type { BindingEntry, DenyEntry, PolicyDocument } from './policy-document.ts';

/** What everybody knows is no secret: the SHA-256 of nothing. */
const HASH_OF_NOTHING = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

/** Callers that deny rules can name and that bring no token of an issuer. */
const WITHOUT_TOKEN: readonly string[] = [LEGACY_ISSUER, ANONYMOUS_ISSUER];

export function checkBinding(
  document: PolicyDocument,
  binding: BindingEntry,
  path: FieldPath,
  complain: Complain,
): void {
  if (binding.issuer === ANONYMOUS_ISSUER) {
    checkAnonymous(document, binding, path, complain);
    return;
  }
  checkIssuerNames(document, binding, path, complain);
  checkConditions(binding.match.all, [...path, 'match', 'all'], complain);
  if (binding.runFactsIssuer === undefined) checkNoRunFacts(binding, path, complain);
  checkRoles(document, binding.roles, path, complain);
  checkGrants(document, binding, path, complain);
  checkGivesSomething(binding, path, complain);
  checkTaskFamilies(document, binding, path, complain);
  checkPeriod(binding, path, complain);
  for (const list of ['allow', 'deny'] as const) {
    for (const [i, example] of binding.examples[list].entries())
      checkExample(document, binding, example, [...path, 'examples', list, i], complain);
  }
}

export function checkDeny(document: PolicyDocument, rule: DenyEntry, path: FieldPath, complain: Complain): void {
  const { issuer, match, roles = [] } = rule;
  if (issuer !== undefined && !WITHOUT_TOKEN.includes(issuer) && !isIssuer(document, issuer))
    complain([...path, 'issuer'], 'is not one of `issuers`');
  checkConditions(match?.all ?? [], [...path, 'match', 'all'], complain);
  checkRoles(document, roles, path, complain);
  checkGrants(document, rule, path, complain);
  checkPeriod(rule, path, complain);
}

export function checkLegacy(document: PolicyDocument, complain: Complain): void {
  const seen = new Set<string>([HASH_OF_NOTHING]);
  for (const [i, { sha256, until, roles }] of (document.legacy ?? []).entries()) {
    const path = ['legacy', i];
    if (seen.has(sha256)) complain([...path, 'sha256'], 'is of an empty token, or of another credential too');
    seen.add(sha256);
    checkInstant(until, [...path, 'until'], complain);
    checkRoles(document, roles, path, complain);
  }
}

function checkIssuerNames(document: PolicyDocument, binding: BindingEntry, path: FieldPath, complain: Complain): void {
  const { issuer, runFactsIssuer } = binding;
  if (!isIssuer(document, issuer)) complain([...path, 'issuer'], 'is not one of `issuers`');
  else if (document.issuers[issuer]?.factsOnly === true)
    complain([...path, 'issuer'], 'has `factsOnly`: it authorises nobody');
  if (runFactsIssuer !== undefined && !isIssuer(document, runFactsIssuer))
    complain([...path, 'runFactsIssuer'], 'is not one of `issuers`');
}

function checkGivesSomething(
  { roles, airflow = [], pipelines = [] }: BindingEntry,
  path: FieldPath,
  complain: Complain,
): void {
  if (roles.length + airflow.length + pipelines.length === 0)
    complain([...path, 'roles'], 'is needed where a binding has neither `airflow` nor `pipelines`');
}

/** Families are narrowed where there are some. */
function checkTaskFamilies(
  document: PolicyDocument,
  { taskFamilies, roles }: BindingEntry,
  path: FieldPath,
  complain: Complain,
): void {
  const hasTokens = (name: string) =>
    Object.hasOwn(document.roles, name) && document.roles[name]?.taskIdentities !== undefined;
  if (taskFamilies !== undefined && !roles.some(hasTokens))
    complain([...path, 'taskFamilies'], 'narrows nothing: none of its roles has `taskIdentities`');
}

function isIssuer({ issuers }: PolicyDocument, name: string): boolean {
  return Object.hasOwn(issuers, name);
}

function checkNoRunFacts({ match, examples }: BindingEntry, path: FieldPath, complain: Complain): void {
  for (const [i, { runFacts }] of match.all.entries())
    if (runFacts === true) complain([...path, 'match', 'all', i, 'runFacts'], 'needs `runFactsIssuer` beside `issuer`');
  for (const [i, { runFacts }] of examples.allow.entries())
    if (runFacts !== undefined) complain([...path, 'examples', 'allow', i, 'runFacts'], 'needs `runFactsIssuer`');
}
