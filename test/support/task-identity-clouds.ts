import { randomUUID } from 'node:crypto';
import { createLocalJWKSet, decodeProtectedHeader, type JWTPayload, jwtVerify } from 'jose';
import { systemClock } from '#core/clock.ts';
import { createCertificateAuthority } from '#local-azure/certificate-authority.ts';
import { startConnectProxy } from '#local-azure/connect-proxy.ts';
import type { DiscoveredIssuerDeclaration } from '#local-azure/declaration.ts';
import { DiscoveredKeys } from '#local-azure/discovered-keys.ts';
import { bearer, type Incoming, type RecordedExchange, type Reply, type Service } from '#local-azure/exchange.ts';
import { Faults } from '#local-azure/faults.ts';
import { startServiceFront } from '#local-azure/service-front.ts';

const AWS_AUDIENCE = 'sts.amazonaws.com';
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const JWT = 'urn:ietf:params:oauth:token-type:jwt';
const ACCESS = 'urn:ietf:params:oauth:token-type:access_token';
const SCOPES = ['https://www.googleapis.com/auth/cloud-platform', 'https://www.googleapis.com/auth/iam'];

/** Whom AWS and Google trust: the subject of a token, by the role or the provider that it may have. */
export interface CloudTrust {
  readonly issuer: DiscoveredIssuerDeclaration;
  /** ARN of a role → `sub`. */
  readonly awsRoles: Readonly<Record<string, string>>;
  /** `//iam.googleapis.com/…/providers/…` → `sub`. */
  readonly googleProviders: Readonly<Record<string, string>>;
  /** E-mail of a service account → the `sub` that may become it. */
  readonly serviceAccounts: Readonly<Record<string, string>>;
}

/** Who came with a token, and as whom he went. */
export interface CloudSignIn {
  readonly host: string;
  readonly subject: string;
  readonly tokenId: string;
  readonly became: string;
}

/** STS of AWS and Google on loopback, under their own host names, behind a proxy and an authority of their own. */
export interface LocalClouds {
  readonly proxyUrl: string;
  readonly caFile: string;
  readonly signIns: readonly CloudSignIn[];
  readonly exchanges: readonly RecordedExchange[];
  close(): Promise<void>;
}

/**
 * Strict where a token is concerned: signature by the keys that the issuer publishes, issuer, one audience, times, and the subject that the
 * role or provider trusts. What they give is known to them alone and is good for one question: who am I.
 */
export async function startLocalClouds(trust: CloudTrust): Promise<LocalClouds> {
  const exchanges: RecordedExchange[] = [];
  const signIns: CloudSignIn[] = [];
  const record = (exchange: RecordedExchange) => void exchanges.push(exchange);
  const verifier = new Verifier(trust, record, (signIn) => void signIns.push(signIn));
  const google = new Google(trust, verifier);
  const services = new Map<string, Service>([
    ['sts.eu-west-1.amazonaws.com', new AwsSts(trust, verifier)],
    ['sts.googleapis.com', google],
    ['iamcredentials.googleapis.com', google],
    ['cloudresourcemanager.googleapis.com', google],
    ['www.googleapis.com', google],
  ]);
  const authority = await createCertificateAuthority();
  const front = await startServiceFront({
    services,
    certificate: authority.issue([...services.keys()]),
    faults: new Faults([]),
    clock: systemClock,
    maxBodyBytes: 100_000,
    record,
  });
  const hosts = new Set(services.keys());
  const proxy = await startConnectProxy({ target: front.port, hosts, record, now: Date.now });
  return {
    proxyUrl: proxy.url,
    caFile: authority.caFile,
    signIns,
    exchanges,
    close: async () => {
      await proxy.close();
      await front.close();
      await authority.remove();
    },
  };
}

class Verifier {
  readonly #keys: DiscoveredKeys;
  readonly #issuer: string;
  readonly #told: (signIn: CloudSignIn) => void;

  constructor(
    { issuer }: CloudTrust,
    record: (exchange: RecordedExchange) => void,
    told: (signIn: CloudSignIn) => void,
  ) {
    this.#keys = new DiscoveredKeys({ declared: issuer, clock: systemClock, record });
    this.#issuer = issuer.issuer;
    this.#told = told;
  }

  /** The claims of a token for exactly this audience; throws when it is not one. */
  async claims(token: string, audience: string): Promise<JWTPayload> {
    const keys = createLocalJWKSet(await this.#keys.keys(decodeProtectedHeader(token).kid));
    const { payload } = await jwtVerify(token, keys, {
      algorithms: ['RS256'],
      issuer: this.#issuer,
      audience,
      requiredClaims: ['exp', 'iat', 'sub', 'jti'],
      maxTokenAge: '1h',
    });
    if (typeof payload.aud !== 'string') throw new Error('more than one audience');
    return payload;
  }

  became(host: string, { sub = '', jti = '' }: JWTPayload, became: string): void {
    this.#told({ host, subject: sub, tokenId: jti, became });
  }
}

/** AssumeRoleWithWebIdentity and GetCallerIdentity of the query API 2011-06-15. */
class AwsSts implements Service {
  readonly #sessions = new Map<string, string>();
  readonly #trust: CloudTrust;
  readonly #verifier: Verifier;

  constructor(trust: CloudTrust, verifier: Verifier) {
    this.#trust = trust;
    this.#verifier = verifier;
  }

  async handle(request: Incoming): Promise<Reply> {
    const form = new URLSearchParams(request.body.toString('utf8'));
    if (request.method !== 'POST' || form.get('Version') !== '2011-06-15') return awsError('InvalidAction', 'no query');
    if (form.get('Action') === 'AssumeRoleWithWebIdentity') return this.#assume(request, form);
    if (form.get('Action') === 'GetCallerIdentity') return this.#whoAmI(request);
    return awsError('InvalidAction', 'not served here');
  }

  failure(status: number): Reply {
    return { ...awsError('ServiceUnavailable', 'fault'), status };
  }

  async #assume({ host, headers }: Incoming, form: URLSearchParams): Promise<Reply> {
    const [role = '', session = '', token = ''] = ['RoleArn', 'RoleSessionName', 'WebIdentityToken'].map(
      (name) => form.get(name) ?? '',
    );
    if (headers.authorization !== undefined) return awsError('SignatureDoesNotMatch', 'this call is not signed');
    if (!/^[\w+=,.@-]{2,64}$/.test(session)) return awsError('ValidationError', 'RoleSessionName does not fit');
    const claims = await this.#verifier.claims(token, AWS_AUDIENCE).catch((error: Error) => error.message);
    if (typeof claims === 'string') return awsError('InvalidIdentityToken', claims);
    if (this.#trust.awsRoles[role] === undefined || this.#trust.awsRoles[role] !== claims.sub)
      return awsError('AccessDenied', 'Not authorized to perform sts:AssumeRoleWithWebIdentity', 403);
    this.#verifier.became(host, claims, role);
    const secret = randomUUID();
    const arn = `${role.replace(':iam:', ':sts:').replace(':role/', ':assumed-role/')}/${session}`;
    this.#sessions.set(secret, arn);
    const credentials =
      `<Credentials><AccessKeyId>ASIA${secret.slice(0, 8).toUpperCase()}XXXX</AccessKeyId><SecretAccessKey>of ${secret}</SecretAccessKey>` +
      `<SessionToken>${secret}</SessionToken><Expiration>${new Date(Date.now() + 3_600_000).toISOString()}</Expiration></Credentials>`;
    return awsAnswer(
      'AssumeRoleWithWebIdentity',
      `${credentials}<AssumedRoleUser><Arn>${arn}</Arn><AssumedRoleId>AROA:${session}</AssumedRoleId></AssumedRoleUser>`,
    );
  }

  #whoAmI({ headers }: Incoming): Reply {
    const arn = this.#sessions.get(String(headers['x-amz-security-token']));
    if (arn === undefined || !headers.authorization?.startsWith('AWS4-HMAC-SHA256 '))
      return awsError('InvalidClientTokenId', 'The security token included in the request is invalid.', 403);
    return awsAnswer('GetCallerIdentity', `<Arn>${arn}</Arn><UserId>AROA</UserId><Account>123456789012</Account>`);
  }
}

const AWS_NAMESPACE = 'https://sts.amazonaws.com/doc/2011-06-15/';

function awsAnswer(action: string, result: string): Reply {
  const body = `<${action}Response xmlns="${AWS_NAMESPACE}"><${action}Result>${result}</${action}Result><ResponseMetadata><RequestId>${randomUUID()}</RequestId></ResponseMetadata></${action}Response>`;
  return { status: 200, headers: { 'content-type': 'text/xml' }, body };
}

function awsError(code: string, message: string, status = 400): Reply {
  const body = `<ErrorResponse xmlns="${AWS_NAMESPACE}"><Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error><RequestId>${randomUUID()}</RequestId></ErrorResponse>`;
  return { status, headers: { 'content-type': 'text/xml' }, body };
}

/** The token exchange of a workload identity pool, service account impersonation, and a question that needs a token. */
class Google implements Service {
  readonly #sessions = new Map<string, string>();
  readonly #trust: CloudTrust;
  readonly #verifier: Verifier;

  constructor(trust: CloudTrust, verifier: Verifier) {
    this.#trust = trust;
    this.#verifier = verifier;
  }

  async handle(request: Incoming): Promise<Reply> {
    const { host, method, url } = request;
    if (host === 'sts.googleapis.com' && method === 'POST' && url.pathname === '/v1/token')
      return this.#exchange(request);
    const caller = this.#sessions.get(bearer(request.headers) ?? '');
    if (caller === undefined) return googleError(401, 'UNAUTHENTICATED');
    const account = /^\/v1\/projects\/-\/serviceAccounts\/([^/:]+):generateAccessToken$/.exec(url.pathname)?.[1];
    if (host === 'iamcredentials.googleapis.com' && method === 'POST' && account !== undefined)
      return this.#impersonate(caller, decodeURIComponent(account));
    if (host === 'cloudresourcemanager.googleapis.com' && /^\/v1\/projects\/\d+$/.test(url.pathname))
      return { status: 200, body: { projectId: 'contoso-lake' } };
    if (host === 'www.googleapis.com' && url.pathname === '/oauth2/v3/userinfo')
      return { status: 200, body: { sub: caller } };
    return googleError(404, 'NOT_FOUND');
  }

  failure(status: number): Reply {
    return googleError(status, 'UNAVAILABLE');
  }

  async #exchange({ host, headers, body }: Incoming): Promise<Reply> {
    const form = new URLSearchParams(body.toString('utf8'));
    const wanted: Readonly<Record<string, string>> = {
      grant_type: EXCHANGE,
      requested_token_type: ACCESS,
      subject_token_type: JWT,
    };
    const wrong = Object.entries(wanted).find(([name, value]) => form.get(name) !== value);
    if (headers.authorization !== undefined || wrong || !SCOPES.includes(form.get('scope') ?? ''))
      return oauthError('invalid_request', `${wrong ?? 'authorization'}`);
    const provider = form.get('audience') ?? '';
    const token = form.get('subject_token') ?? '';
    // The default audience of a provider: its full name with https.
    const claims = await this.#verifier.claims(token, `https:${provider}`).catch((error: Error) => error.message);
    if (typeof claims === 'string') return oauthError('invalid_grant', claims);
    if (this.#trust.googleProviders[provider] === undefined || this.#trust.googleProviders[provider] !== claims.sub)
      return oauthError('unauthorized_client', 'The given credential is rejected by the attribute condition.');
    this.#verifier.became(host, claims, provider);
    const answer = { access_token: this.#session(claims.sub ?? ''), issued_token_type: ACCESS, token_type: 'Bearer' };
    return { status: 200, body: { ...answer, expires_in: 3_600 } };
  }

  #impersonate(caller: string, account: string): Reply {
    if (this.#trust.serviceAccounts[account] !== caller) return googleError(403, 'PERMISSION_DENIED');
    const expireTime = new Date(Date.now() + 3_600_000).toISOString().replace(/\.\d+Z$/, 'Z');
    return { status: 200, body: { accessToken: this.#session(account), expireTime } };
  }

  #session(who: string): string {
    const token = `ya29.${randomUUID()}`;
    this.#sessions.set(token, who);
    return token;
  }
}

function googleError(code: number, status: string): Reply {
  return { status: code, body: { error: { code, status, message: status } } };
}

function oauthError(error: string, words: string): Reply {
  return { status: 400, body: { error, error_description: words } };
}
