import type { ProfileName } from '#gateway/auth/caller.ts';
import { issuerDefaults } from '#gateway/auth/issuer-defaults.ts';
import type { IssuerSettings } from '#gateway/auth/issuer-settings.ts';
import { type Claims, type TestIssuer, type TestKey, testKey } from './test-issuer.ts';

export const NOW = Date.UTC(2026, 10, 21, 12);
export const ORGANIZATION = '0a1b2c3d-0000-4000-8000-00000000000a';
export const PROJECT = '0a1b2c3d-0000-4000-8000-00000000000b';
export const TENANT = '11111111-2222-4333-8444-555555555555';
export const PRINCIPAL = '99999999-8888-4777-8666-555555555555';
export const CLIENT = '77777777-8888-4777-8666-555555555555';
const CONNECTION = '55555555-8888-4777-8666-555555555555';
const EXCHANGE = 'api://AzureADTokenExchange';
const COMMIT = '0123456789012345678901234567890123456789';

const SECONDS = NOW / 1_000;
const FIVE_MINUTES = { iat: SECONDS - 10, exp: SECONDS + 290 };
const GUID_T = encoded(TENANT);
const GUID_A = encoded('499b84ac-1321-427f-aa17-267ca6975798');

interface Sample {
  readonly profile: ProfileName;
  readonly issuer: string;
  readonly audience: string;
  readonly header?: Claims;
  readonly claims: Claims;
  readonly settings?: Partial<IssuerSettings>;
}

export const SAMPLES = {
  'azure-pipelines': {
    profile: 'azure-pipelines',
    issuer: `https://vstoken.dev.azure.com/${ORGANIZATION}`,
    audience: EXCHANGE,
    claims: {
      sub: 'p://fabrikam/My Project/nightly',
      jti: 'c0ffee00-0000-4000-8000-000000000001',
      org_id: ORGANIZATION,
      prj_id: PROJECT,
      def_id: '7',
      run_id: '42',
      rpo_id: 'a0000000-0000-4000-8000-000000000005',
      rpo_uri: 'https://dev.azure.com/fabrikam/demo/_git/data',
      rpo_ver: COMMIT,
      rpo_ref: 'refs/heads/main',
      nbf: SECONDS - 610,
    },
  },
  'azure-connection': {
    profile: 'azure-connection',
    issuer: `https://login.microsoftonline.com/${TENANT}/v2.0`,
    audience: 'fb60f99c-7a34-4190-8149-302f77469936',
    settings: { sharedAudience: true },
    claims: {
      sub: `/eid1/c/pub/t/${GUID_T}/a/${GUID_A}/sc/${ORGANIZATION}/${CONNECTION}`,
      azp: '499b84ac-1321-427f-aa17-267ca6975798',
      idtyp: 'app',
      oid: CONNECTION,
      tid: TENANT,
      uti: 'aBcDeFgHiJkLmNoPqRsTuV',
      ver: '2.0',
      exp: SECONDS + 86_000,
    },
  },
  'azure-connection-old': {
    profile: 'azure-connection',
    issuer: `https://vstoken.dev.azure.com/${ORGANIZATION}`,
    audience: EXCHANGE,
    settings: { sharedAudience: true },
    claims: { sub: 'sc://fabrikam/demo/azure', jti: 'c0ffee00-0000-4000-8000-000000000002' },
  },
  entra: {
    profile: 'entra',
    issuer: `https://login.microsoftonline.com/${TENANT}/v2.0`,
    audience: 'abcdef55-8888-4777-8666-555555555555',
    header: { typ: 'JWT' },
    claims: {
      sub: PRINCIPAL,
      oid: PRINCIPAL,
      azp: CLIENT,
      azpacr: '2',
      idtyp: 'app',
      tid: TENANT,
      uti: 'aBcDeFgHiJkLmNoPqRsTuV',
      ver: '2.0',
      nbf: SECONDS - 10,
      exp: SECONDS + 3_589,
    },
  },
  'entra-v1': {
    profile: 'entra',
    issuer: `https://sts.windows.net/${TENANT}/`,
    audience: 'api://plumbline-gateway',
    header: { typ: 'JWT', x5t: 'key-1' },
    claims: { sub: PRINCIPAL, oid: PRINCIPAL, appid: CLIENT, tid: TENANT, uti: 'aBcDeFgHiJkLmNoPqRsTuV', ver: '1.0' },
  },
  gitlab: {
    profile: 'gitlab',
    issuer: 'https://gitlab.example.com',
    audience: 'https://gateway.example.com',
    header: { typ: 'JWT' },
    claims: {
      sub: 'project_path:data/etl:ref_type:branch:ref:main',
      jti: 'c0ffee00-0000-4000-8000-000000000003',
      namespace_id: '72',
      namespace_path: 'data',
      project_id: '20',
      project_path: 'data/etl',
      user_id: '1',
      user_login: 'sample-user',
      pipeline_id: '574',
      pipeline_source: 'push',
      job_id: '302',
      ref: 'main',
      ref_type: 'branch',
      ref_path: 'refs/heads/main',
      ref_protected: 'true',
      environment: 'production',
      runner_id: 1,
      sha: COMMIT,
      ci_config_ref_uri: 'gitlab.example.com/data/etl//.gitlab-ci.yml@refs/heads/main',
      groups_direct: ['data', 'data/readers'],
      nbf: SECONDS - 15,
    },
  },
  github: {
    profile: 'github',
    issuer: 'https://token.actions.githubusercontent.com',
    audience: 'https://gateway.example.com',
    header: { typ: 'JWT', x5t: 'key-1' },
    claims: {
      sub: 'repo:octo@65/etl@74:ref:refs/heads/main',
      jti: 'c0ffee00-0000-4000-8000-000000000004',
      repository: 'octo/etl',
      repository_id: '74',
      repository_owner: 'octo',
      repository_owner_id: '65',
      run_id: '1234567',
      run_attempt: '1',
      actor_id: '12',
      event_name: 'push',
      ref: 'refs/heads/main',
      ref_protected: 'true',
      sha: COMMIT,
      job_workflow_ref: 'octo/etl/.github/workflows/run.yml@refs/heads/main',
    },
  },
  kubernetes: {
    profile: 'kubernetes',
    issuer: 'https://oidc.cluster.example.com/id',
    audience: 'plumbline-gateway',
    claims: {
      aud: ['plumbline-gateway'],
      sub: 'system:serviceaccount:etl:runner',
      jti: 'c0ffee00-0000-4000-8000-000000000005',
      nbf: SECONDS - 10,
      exp: SECONDS + 3_590,
      'kubernetes.io': {
        namespace: 'etl',
        node: { name: 'n1', uid: 'c0ffee00-0000-4000-8000-000000000007' },
        pod: { name: 'runner-1', uid: 'c0ffee00-0000-4000-8000-000000000008' },
        serviceaccount: { name: 'runner', uid: 'c0ffee00-0000-4000-8000-000000000006' },
      },
    },
  },
  oidc: {
    profile: 'oidc',
    issuer: 'https://example.okta.com/oauth2/default',
    audience: 'api://plumbline',
    claims: {
      sub: '0oa1gjh63g214q0Hq0g4',
      cid: '0oa1gjh63g214q0Hq0g4',
      ver: 1,
      jti: 'AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE',
    },
  },
} as const satisfies Record<string, Sample>;

export type SampleName = keyof typeof SAMPLES;

const keys = new Map<string, TestKey>();

/** One key for each algorithm and process: making RSA keys is slow. */
export function sharedKey(alg: TestKey['alg'] = 'RS256', kid = 'key-1'): TestKey {
  const name = `${alg} ${kid}`;
  const key = keys.get(name) ?? testKey(alg, kid);
  keys.set(name, key);
  return key;
}

/** An issuer of this kind with its key in the settings, and the claims of a token that is good at {@link NOW}. */
export function testIssuer(name: SampleName, more: Partial<IssuerSettings> = {}): TestIssuer {
  const sample: Sample = SAMPLES[name];
  const settings: IssuerSettings = {
    name,
    profile: sample.profile,
    issuer: sample.issuer,
    audiences: [sample.audience],
    ...issuerDefaults(sample.profile),
    ...sample.settings,
    ...more,
  };
  const [alg = 'RS256'] = settings.algorithms;
  const key = sharedKey(alg);
  return {
    settings: { jwks: { keys: [key.jwk as Record<string, unknown>] }, ...settings },
    key,
    now: NOW,
    header: { alg, kid: key.kid, ...sample.header },
    claims: { iss: sample.issuer, aud: sample.audience, ...FIVE_MINUTES, ...sample.claims },
  };
}

export const SAMPLE_NAMES = Object.keys(SAMPLES) as readonly SampleName[];

/** A GUID in .NET's byte order, as Entra writes it into subjects. */
export function encoded(guid: string): string {
  const [a = '', b = '', c = '', ...rest] = guid.split('-');
  const swapped = [a, b, c].map((part) => (part.match(/../g) ?? []).reverse().join(''));
  return Buffer.from([...swapped, ...rest].join(''), 'hex').toString('base64url');
}
