import type { IssuerSettings } from './issuer-settings.ts';
import { keyAddressProblem } from './key-address.ts';
import { azureDevOpsOrganization, EXCHANGE_AUDIENCES } from './profiles/azure-issuer.ts';
import { profileOf } from './profiles/profile-of.ts';
import { OWN_ISSUER } from './run-caller.ts';
import { isUsableKey } from './verification-key.ts';

export interface IssuerProblem {
  /** With an `error` the issuer is not taken; a `warning` is for `policy check`. */
  readonly level: 'error' | 'warning';
  /** The field of the issuer in the policy that it is about. */
  readonly field: string;
  /** Continues "Issuer 'x' …: ". */
  readonly why: string;
}

const LONGEST_LIFETIME_MS = 25 * 60 * 60_000;
const NAME_TEXT = /^[\x21-\x7e]{1,255}$/;
/** Audiences that many receivers have in common, because the platform asks for them when nobody says otherwise. */
const COMMON_AUDIENCES: readonly RegExp[] = [
  /^https:\/\/kubernetes\.default(\.svc(\.[\w.-]+)?)?$/,
  /^https:\/\/github\.com\/[^/]+$/,
  /^sts\.amazonaws\.com$/,
  /^https:\/\/(management|vault|graph|storage|database)\./,
  /^32555940559\.apps\.googleusercontent\.com$/,
];

/** Everything that is wrong or doubtful with one issuer's settings, before any of its tokens was seen. */
export function issuerProblems(settings: IssuerSettings): readonly IssuerProblem[] {
  return [
    ...profileProblems(settings),
    ...keyProblems(settings),
    ...audienceProblems(settings),
    ...lifetimeProblems(settings),
  ];
}

function profileProblems(settings: IssuerSettings): IssuerProblem[] {
  const { name, issuer, profile } = settings;
  const why = profileOf(profile).problem(settings);
  return [
    ...(why === undefined ? [] : [error(why.includes('audience') ? 'audiences' : 'issuer', why)]),
    ...(NAME_TEXT.test(issuer) ? [] : [error('issuer', 'it is no printable text of at most 255 characters')]),
    ...(name === OWN_ISSUER || issuer === OWN_ISSUER ? [error('name', `'${OWN_ISSUER}' is the gateway itself`)] : []),
    ...(profile === 'oidc' && isAzure(issuer)
      ? [warning('profile', 'tokens of Azure are read as those of any issuer; take `entra` or `azure-pipelines`')]
      : []),
  ];
}

function isAzure(issuer: string): boolean {
  const host = URL.parse(issuer)?.hostname ?? '';
  return /(^|\.)(login\.microsoftonline\.(com|us)|sts\.windows\.net|vstoken\.dev\.azure\.com)$/.test(host);
}

function keyProblems(settings: IssuerSettings): IssuerProblem[] {
  const { algorithms, jwks, jwksUri, issuer } = settings;
  if (algorithms.length === 0) return [error('algorithms', 'there is none')];
  if (jwks !== undefined) {
    if (jwksUri !== undefined) return [error('jwks', 'there is a `jwksUri` too; name one of them')];
    const usable = jwks.keys.some((key) => isUsableKey(key, settings));
    return usable ? [] : [error('jwks', 'it has no public key with a `kid` for the algorithms of this issuer')];
  }
  const why = keyAddressProblem(jwksUri ?? issuer);
  return why === undefined ? [] : [error(jwksUri === undefined ? 'issuer' : 'jwksUri', why)];
}

function audienceProblems({ audiences, profile, sharedAudience, factsOnly }: IssuerSettings): IssuerProblem[] {
  if (audiences.length === 0) return [error('audiences', 'there is none')];
  if (audiences.some((audience) => !NAME_TEXT.test(audience)))
    return [error('audiences', 'one is no printable text without spaces of at most 255 characters')];
  if (factsOnly && profile !== 'azure-pipelines')
    return [error('factsOnly', 'only tokens of profile azure-pipelines are read as run facts')];
  if (sharedAudience || factsOnly) return [];
  if (profile === 'azure-pipelines')
    return [warning('factsOnly', 'its audience is fixed and shared: whoever else gets such a token can send it here')];
  const shared = audiences.filter(isShared);
  return shared.map((audience) =>
    error(
      'audiences',
      `'${audience}' is shared with other receivers, who could send its tokens here: say \`sharedAudience: true\``,
    ),
  );
}

function isShared(audience: string): boolean {
  return EXCHANGE_AUDIENCES.includes(audience) || COMMON_AUDIENCES.some((form) => form.test(audience));
}

function lifetimeProblems({ maxLifetimeMs, maxAgeMs, profile, issuer, use }: IssuerSettings): IssuerProblem[] {
  const old = profile === 'azure-connection' && azureDevOpsOrganization(issuer) !== undefined;
  return [
    ...(maxLifetimeMs > 0 && maxLifetimeMs <= LONGEST_LIFETIME_MS
      ? []
      : [error('maxLifetime', 'it is not between a moment and 25 hours')]),
    ...(maxAgeMs !== undefined && !(maxAgeMs > 0) ? [error('maxAge', 'it is not longer than nothing')] : []),
    ...(old ? [warning('issuer', 'Azure DevOps retires this issuer for service connections on 2027-07-01')] : []),
    ...(use === 'untilExpiry' && profile !== 'entra' && profile !== 'kubernetes' && profile !== 'oidc'
      ? [warning('use', 'it issues ID tokens, which one request should use up')]
      : []),
  ];
}

function error(field: string, why: string): IssuerProblem {
  return { level: 'error', field, why };
}

function warning(field: string, why: string): IssuerProblem {
  return { level: 'warning', field, why };
}

/** Two entries that claim the same tokens: of the same issuer and audience, and nothing in a subject tells them apart. */
export function issuerConflicts(issuers: readonly IssuerSettings[]): readonly { name: string; other: string }[] {
  return issuers.flatMap((settings, index) =>
    issuers
      .slice(0, index)
      .filter((other) => claimSame(settings, other))
      .map((other) => ({ name: settings.name, other: other.name })),
  );
}

function claimSame(one: IssuerSettings, two: IssuerSettings): boolean {
  if (one.name === two.name) return true;
  if (one.issuer !== two.issuer || !one.audiences.some((audience) => two.audiences.includes(audience))) return false;
  const [first, second] = [one, two].map(({ profile }) => profileOf(profile).subjectPrefix);
  return first === undefined || second === undefined || first === second;
}
