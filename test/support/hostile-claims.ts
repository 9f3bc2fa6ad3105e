import type { RefusalReason } from '#gateway/auth/token-refused.ts';
import { type Claims, type TestIssuer, token } from './test-issuer.ts';
import type { SampleName } from './test-issuers.ts';
import { encoded, ORGANIZATION, PROJECT, TENANT } from './test-issuers.ts';

/** A token that its issuer signed and that must not be accepted all the same. */
export interface HostileClaims {
  readonly name: string;
  readonly reason: RefusalReason;
  readonly claims: Claims;
  readonly header?: Claims;
}

const OTHER = '0a1b2c3d-0000-4000-8000-0000000000ff';

function row(reason: RefusalReason, name: string, claims: Claims, header: Claims = {}): HostileClaims {
  return { reason, name, claims, header };
}

const NOT_AN_ACCESS_TOKEN = row('type', 'an access token as RFC 9068 marks it', {}, { typ: 'at+jwt' });
const ENTRA: readonly HostileClaims[] = [
  row('tenant', 'another tenant', { tid: OTHER }),
  row('claim', 'no tenant', { tid: undefined }),
  row('claim', 'a tenant that is no GUID', { tid: 'common' }),
  row('claim', 'no object id', { oid: undefined }),
  row('claim', 'no uti', { uti: undefined }),
  row('kind', 'a token of a user', { scp: 'user_impersonation' }),
  row('kind', 'empty scopes', { scp: '' }),
  row('kind', 'idtyp user', { idtyp: 'user' }),
  row('kind', 'idtyp device', { idtyp: 'device' }),
  row('kind', 'subject that is not the principal', { sub: 'pairwise-subject-of-a-user' }),
  row('claim', 'idtyp as a list', { idtyp: ['app'] }),
];

/** By the kind of issuer: what contradicts its profile. */
export const HOSTILE_CLAIMS: Readonly<Record<SampleName, readonly HostileClaims[]>> = {
  'azure-pipelines': [
    NOT_AN_ACCESS_TOKEN,
    row('subject', 'the token of a service connection', { sub: 'sc://fabrikam/demo/azure' }),
    row('subject', 'prefix in upper case', { sub: 'P://fabrikam/demo/nightly' }),
    row('subject', 'prefix further inside', { sub: 'x p://fabrikam/demo/nightly' }),
    row('subject', 'too few parts', { sub: 'p://fabrikam/demo' }),
    row('subject', 'an empty part', { sub: 'p://fabrikam//nightly' }),
    row('tenant', 'another organization behind the same keys', { org_id: OTHER }),
    row('claim', 'no organization', { org_id: undefined }),
    row('claim', 'no project', { prj_id: undefined }),
    row('claim', 'project by its name', { prj_id: 'demo' }),
    row('claim', 'project as a list', { prj_id: [PROJECT] }),
    row('claim', 'definition as a number', { def_id: 7 }),
    row('claim', 'definition with a sign', { def_id: '-7' }),
    row('claim', 'definition as a fraction', { def_id: '7.0' }),
    row('claim', 'no run', { run_id: undefined }),
    row('claim', 'ref as an object', { rpo_ref: { equals: 'refs/heads/main' } }),
    row('text', 'ref with a line break', { rpo_ref: 'refs/heads/main\nx' }),
    row('claim', 'no jti', { jti: undefined }),
  ],
  'azure-connection': [
    NOT_AN_ACCESS_TOKEN,
    row('subject', 'the token of a pipeline', { sub: 'p://fabrikam/demo/nightly' }),
    row('subject', 'a subject of somebody else', { sub: '0oa1gjh63g214q0Hq0g4' }),
    row('subject', 'another application in the subject', {
      sub: `/eid1/c/pub/t/${encoded(TENANT)}/a/${encoded(OTHER)}/sc/${ORGANIZATION}/${OTHER}`,
    }),
    row('subject', 'something behind the subject', {
      sub: `/eid1/c/pub/t/${encoded(TENANT)}/a/${encoded('499b84ac-1321-427f-aa17-267ca6975798')}/sc/${ORGANIZATION}/${OTHER}/x`,
    }),
    row('tenant', 'another tenant in the subject', {
      sub: `/eid1/c/pub/t/${encoded(OTHER)}/a/${encoded('499b84ac-1321-427f-aa17-267ca6975798')}/sc/${ORGANIZATION}/${OTHER}`,
    }),
    row('tenant', 'another tenant', { tid: OTHER }),
    row('kind', 'issued to another application', { azp: OTHER }),
    row('kind', 'a token of a user', { idtyp: 'user' }),
    row('claim', 'no idtyp', { idtyp: undefined }),
    row('claim', 'no uti', { uti: undefined }),
  ],
  'azure-connection-old': [
    NOT_AN_ACCESS_TOKEN,
    row('subject', 'the token of a pipeline', { sub: 'p://fabrikam/demo/nightly' }),
    row('subject', 'too few parts', { sub: 'sc://fabrikam/demo' }),
    row('claim', 'no jti', { jti: undefined }),
  ],
  entra: [
    ...ENTRA,
    row('claim', 'an ID token: it names no client', { azp: undefined }),
    row('claim', 'a client by its URI', { azp: 'api://other' }),
    row('kind', 'a token of version 1', { ver: '1.0' }),
    row('claim', 'no version', { ver: undefined }),
    row('claim', 'version as a number', { ver: 2 }),
    row('kind', 'the assertion of a service connection', {
      sub: `/eid1/c/pub/t/${encoded(TENANT)}/a/${encoded('499b84ac-1321-427f-aa17-267ca6975798')}/sc/${ORGANIZATION}/${OTHER}`,
    }),
  ],
  'entra-v1': [
    ...ENTRA,
    row('claim', 'no client', { appid: undefined }),
    row('kind', 'a token of version 2', { ver: '2.0', azp: OTHER }),
  ],
  gitlab: [
    NOT_AN_ACCESS_TOKEN,
    row('subject', 'the subject of a user', { sub: 'user:1' }),
    row('subject', 'prefix further inside', { sub: 'x:project_path:data/etl' }),
    row('claim', 'no project', { project_id: undefined }),
    row('claim', 'project as a number', { project_id: 20 }),
    row('claim', 'project as a list', { project_id: ['20'] }),
    row('claim', 'project as a path', { project_id: 'data/etl' }),
    row('claim', 'project with a space', { project_id: '20 ' }),
    row('claim', 'project in Arabic digits', { project_id: '٢٠' }),
    row('claim', 'no namespace', { namespace_id: undefined }),
    row('claim', 'no pipeline', { pipeline_id: undefined }),
    row('claim', 'protected as a boolean', { ref_protected: true }),
    row('claim', 'protected as another word', { ref_protected: 'True' }),
    row('claim', 'ref as a list', { ref_path: ['refs/heads/main'] }),
    row('claim', 'source of the pipeline as a list', { pipeline_source: ['push'] }),
    row('claim', 'environment as an object', { environment: { name: 'production' } }),
    row('claim', 'no jti', { jti: undefined }),
  ],
  github: [
    NOT_AN_ACCESS_TOKEN,
    row('subject', 'another repository in the subject', { sub: 'repo:octo/other:ref:refs/heads/main' }),
    row('subject', 'another owner in the subject', { sub: 'repo:other/etl:ref:refs/heads/main' }),
    row('subject', 'another id of the owner', { sub: 'repo:octo@66/etl@74:ref:refs/heads/main' }),
    row('subject', 'another id of the repository', { sub: 'repo:octo@65/etl@75:ref:refs/heads/main' }),
    row('subject', 'only one of the ids', { sub: 'repo:octo@65/etl:ref:refs/heads/main' }),
    row('subject', 'no slash', { sub: 'repo:octo' }),
    row('subject', 'a form that no claim stands behind', { sub: 'admin:true' }),
    row('subject', 'a claim of every object', { sub: 'constructor:x' }),
    row('claim', 'no repository id', { repository_id: undefined }),
    row('claim', 'repository id as a number', { repository_id: 74 }),
    row('claim', 'no owner id', { repository_owner_id: undefined }),
    row('claim', 'no run', { run_id: undefined }),
    row('claim', 'protected as a boolean', { ref_protected: true }),
    row('claim', 'event as a list', { event_name: ['push'] }),
    row('claim', 'no jti', { jti: undefined }),
  ],
  kubernetes: [
    NOT_AN_ACCESS_TOKEN,
    row('subject', 'the subject of a user', { sub: 'system:admin' }),
    row('subject', 'the subject of a node', { sub: 'system:node:n1' }),
    row('subject', 'one part more', { sub: 'system:serviceaccount:etl:runner:x' }),
    row('subject', 'a namespace in upper case', { sub: 'system:serviceaccount:ETL:runner' }),
    row('subject', 'an empty namespace', { sub: 'system:serviceaccount::runner' }),
    row('subject', 'another namespace in the claims', {
      'kubernetes.io': { namespace: 'prod', serviceaccount: { name: 'runner', uid: 'u' } },
    }),
    row('subject', 'another account in the claims', {
      'kubernetes.io': { namespace: 'etl', serviceaccount: { name: 'admin', uid: 'u' } },
    }),
    row('claim', 'no claims of the cluster', { 'kubernetes.io': undefined }),
    row('claim', 'claims of the cluster as text', { 'kubernetes.io': 'etl' }),
    row('claim', 'claims of the cluster as a list', { 'kubernetes.io': [{ namespace: 'etl' }] }),
    row('claim', 'no uid: a token from a secret', {
      'kubernetes.io': { namespace: 'etl', serviceaccount: { name: 'runner' } },
    }),
    row('claim', 'namespace as a list', {
      'kubernetes.io': { namespace: ['etl'], serviceaccount: { name: 'runner', uid: 'u' } },
    }),
    row('times', 'a token without an end', { exp: undefined }),
  ],
  oidc: [NOT_AN_ACCESS_TOKEN, row('claim', 'jti as a list', { jti: ['x'] })],
};

export function hostileToken(issuer: TestIssuer, { claims, header = {} }: HostileClaims): string {
  return token(issuer, claims, header);
}
