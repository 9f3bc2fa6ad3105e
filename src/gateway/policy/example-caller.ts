import type { JsonValue } from '#core/json.ts';
import type { Caller, ProfileName, SignedFacts, VerifiedToken } from '../auth/caller.ts';
import type { IssuerSettings } from '../auth/issuer-settings.ts';
import { azureDevOpsOrganization, entraIssuer } from '../auth/profiles/azure-issuer.ts';
import { ClaimReader } from '../auth/profiles/claim-reader.ts';
import { profileOf } from '../auth/profiles/profile-of.ts';
import type { Claims } from './binding.ts';

const GUID = '00000000-0000-4000-8000-000000000000';
const HASH = '0'.repeat(64);

/**
 * The caller of an example: its claims, read as the issuer's profile reads a token. What an example leaves out and every
 * token of the profile has is filled in for the profile alone; conditions see only what the example says.
 *
 * @throws {PlumblineError} `ERR_TOKEN_CLAIMS` when no token of the issuer that is accepted has such claims.
 */
export function exampleCaller(issuer: IssuerSettings, claims: Claims, runFacts?: VerifiedToken): Caller {
  return { ...exampleToken(issuer, claims), scope: HASH, runFacts };
}

/** The same for the token that lies beside it. */
export function exampleToken(issuer: IssuerSettings, claims: Claims): VerifiedToken {
  const { sub } = claims;
  return {
    issuer: issuer.name,
    profile: issuer.profile,
    iss: issuer.issuer,
    subject: typeof sub === 'string' ? sub : 'example',
    audience: issuer.audiences[0] ?? '',
    signed: signedBy(issuer, claims),
    claims,
    use: issuer.use,
    tokenId: 'example',
    tokenHash: HASH,
    expiresAt: Number.MAX_SAFE_INTEGER,
  };
}

function signedBy(issuer: IssuerSettings, claims: Claims): SignedFacts {
  const whole = { ...COMMON[issuer.profile](issuer, claims), ...claims };
  return profileOf(issuer.profile).read(new ClaimReader(whole), issuer).signed;
}

type Filler = (issuer: IssuerSettings, claims: Claims) => Claims;

/** What every token of a profile has. */
const COMMON: Readonly<Record<ProfileName, Filler>> = {
  'azure-pipelines': ({ issuer }) => ({
    sub: 'p://example/example/example',
    org_id: azureDevOpsOrganization(issuer) ?? GUID,
    prj_id: GUID,
    def_id: '1',
    run_id: '1',
    jti: GUID,
  }),
  'azure-connection': ({ issuer }) => ({
    sub: 'sc://example/example/example',
    jti: GUID,
    tid: entraIssuer(issuer)?.tenant ?? GUID,
    azp: '499b84ac-1321-427f-aa17-267ca6975798',
    idtyp: 'app',
    uti: 'example',
  }),
  entra: ({ issuer }, { sub, oid }) => {
    const { tenant = GUID, version = '2.0' } = entraIssuer(issuer) ?? {};
    const identity: JsonValue = oid ?? sub ?? GUID;
    return { sub: identity, oid: identity, tid: tenant, ver: version, azp: GUID, appid: GUID, uti: 'example' };
  },
  gitlab: () => ({
    sub: 'project_path:example/example:ref_type:branch:ref:main',
    namespace_id: '1',
    project_id: '1',
    pipeline_id: '1',
    jti: GUID,
  }),
  github: (_, { repository }) => ({
    sub: `repo:${typeof repository === 'string' ? repository : 'example/example'}:ref:refs/heads/main`,
    repository: 'example/example',
    repository_id: '1',
    repository_owner_id: '1',
    run_id: '1',
    jti: GUID,
  }),
  kubernetes: (_, claims) => serviceAccount(claims),
  oidc: () => ({}),
};

function serviceAccount({ sub, 'kubernetes.io': given }: Claims): Claims {
  const [, , namespace = 'example', account = 'example'] = typeof sub === 'string' ? sub.split(':') : [];
  const cluster = (typeof given === 'object' && given !== null ? given : {}) as Claims;
  const own = (cluster['serviceaccount'] ?? {}) as Claims;
  const place = typeof cluster['namespace'] === 'string' && typeof sub !== 'string' ? cluster['namespace'] : namespace;
  const name = typeof own['name'] === 'string' && typeof sub !== 'string' ? own['name'] : account;
  return {
    sub: `system:serviceaccount:${place}:${name}`,
    'kubernetes.io': { namespace: place, serviceaccount: { name, uid: GUID } },
  };
}
