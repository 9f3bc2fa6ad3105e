import type { ProfileName } from '../auth/caller.ts';
import { type BoundToken, boundTokens, nameOf, pinnedClaims, restrictedClaims } from './pinned-claims.ts';
import { ANONYMOUS_ISSUER } from './policy.ts';
import type { BindingEntry } from './policy-document.ts';
import type { Finding, LintRule } from './policy-lint.ts';
import type { PolicyParts } from './policy-parts.ts';

/** Issuers that serve everybody: without one of these claims the binding is open to strangers. */
const SHARED_ISSUERS: readonly { readonly host: RegExp; readonly claims: readonly string[] }[] = [
  {
    host: /^token\.actions\.githubusercontent\.com$/,
    claims: ['repository_id', 'repository_owner_id', 'enterprise_id'],
  },
  { host: /^gitlab\.com$/, claims: ['project_id', 'namespace_id'] },
  { host: /^vstoken\.dev\.azure\.com$/, claims: ['prj_id', 'sub'] },
  {
    host: /^(login\.microsoftonline\.(com|us)|login\.partner\.microsoftonline\.cn|sts\.windows\.net)$/,
    claims: ['oid', 'sub', 'azp', 'appid'],
  },
  { host: /^accounts\.google\.com$/, claims: ['sub', 'azp', 'hd'] },
  { host: /^app\.terraform\.io$/, claims: ['terraform_organization_id', 'terraform_workspace_id'] },
  { host: /^api\.bitbucket\.org$/, claims: ['workspaceUuid', 'repositoryUuid'] },
  { host: /^agent\.buildkite\.com$/, claims: ['organization_id', 'pipeline_id'] },
  { host: /^cognito-(idp|identity)\.[a-z0-9-]+\.amazonaws\.com(\.cn)?$/, claims: ['sub', 'client_id'] },
];

/** Names that can pass to somebody else, and the ids that do not. */
const MUTABLE: Readonly<Partial<Record<ProfileName, Readonly<Record<string, readonly string[]>>>>> = {
  gitlab: {
    project_path: ['project_id'],
    namespace_path: ['namespace_id', 'project_id'],
    job_project_path: ['job_project_id'],
    user_login: ['user_id'],
    user_email: ['user_id'],
    sub: ['project_id'],
  },
  github: {
    repository: ['repository_id'],
    repository_owner: ['repository_owner_id', 'repository_id'],
    actor: ['actor_id'],
    sub: ['repository_id'],
  },
  'azure-pipelines': { sub: ['prj_id'], rpo_uri: ['rpo_id', 'prj_id'] },
  entra: Object.fromEntries(
    ['upn', 'email', 'preferred_username', 'unique_name', 'app_displayname'].map((name) => [name, ['oid']]),
  ),
  oidc: { email: ['sub'], preferred_username: ['sub'] },
};

const AZURE: readonly ProfileName[] = ['azure-pipelines', 'azure-connection', 'entra'];
const AZURE_CLAIMS = ['prj_id', 'def_id', 'rpo_ref'];

/** Azure: a binding says which project, which pipeline and which branch. */
export const azureUnpinned: LintRule = (parts) =>
  eachBinding(parts, (binding, path) => {
    const tokens = boundTokens(parts, binding);
    if (!tokens.some(({ issuer }) => AZURE.includes(issuer.profile))) return [];
    const run = tokens.find(({ issuer }) => issuer.profile === 'azure-pipelines');
    const restricted = run === undefined ? new Set() : restrictedClaims(run);
    const missing = AZURE_CLAIMS.filter((claim) => !restricted.has(claim));
    if (missing.length === 0) return [];
    const message = `does not say ${missing.join(', ')}: every pipeline that gets such a token has its roles`;
    const remedy =
      run === undefined
        ? 'Name the issuer of the pipeline tokens as `runFactsIssuer` and add conditions on them with `runFacts: true`.'
        : `Add conditions on ${missing.join(', ')}.`;
    // Without run facts no step of a pipeline gets in, which always brings them.
    const severity = run === undefined && isWorkload(tokens) ? 'medium' : 'high';
    return [{ rule: 'azure-unpinned', severity, path: [...path, 'match'], message, remedy }];
  });

/** A shared issuer: a claim says whose of its users it is. */
export const sharedIssuer: LintRule = (parts) =>
  eachBinding(parts, (binding, path) =>
    boundTokens(parts, binding).flatMap((token): Finding[] => {
      const host = URL.parse(token.issuer.issuer)?.hostname ?? '';
      const shared = SHARED_ISSUERS.find((each) => each.host.test(host));
      const pinned = pinnedClaims(token);
      if (shared === undefined || shared.claims.some((claim) => pinned.has(claim))) return [];
      const message = `has no claim that says whose: ${host} issues tokens to everybody`;
      const remedy = `Add a condition with equals or oneOf on ${shared.claims.join(' or ')}${token.isRunFacts ? ' with `runFacts: true`' : ''}.`;
      return [{ rule: 'shared-issuer', severity: 'high', path: [...path, 'match'], message, remedy }];
    }),
  );

/** A name that can be given to somebody else, where an id exists. */
export const mutableName: LintRule = (parts) =>
  eachBinding(parts, (binding, path) =>
    boundTokens(parts, binding).flatMap((token) => {
      const pinned = pinnedClaims(token);
      const names = MUTABLE[token.issuer.profile] ?? {};
      return token.conditions.flatMap(({ entry, index }): Finding[] => {
        const name = nameOf(entry.claim);
        const ids = Object.hasOwn(names, name) ? (names[name] ?? []) : [];
        if (ids.length === 0 || ids.some((id) => pinned.has(id))) return [];
        const message = `is a name that can pass to somebody else`;
        const remedy = `Add a condition on ${ids.join(' or ')}, which never does.`;
        return [
          {
            rule: 'mutable-name',
            severity: 'medium',
            path: [...path, 'match', 'all', index, 'claim'],
            message,
            remedy,
          },
        ];
      });
    }),
  );

/** A glob that begins with a wildcard lets in whatever ends the right way. */
export const wildcardStart: LintRule = (parts) =>
  eachBinding(parts, ({ issuer, match }, path) =>
    match.all.flatMap((entry, i): Finding[] => {
      // Nobody chooses an address.
      if (issuer === ANONYMOUS_ISSUER) return [];
      if (!('glob' in entry) || !entry.glob.startsWith('*')) return [];
      const message = 'begins with a wildcard: whoever chooses the beginning of this claim gets in';
      const remedy = 'Write the beginning out, or list the values with oneOf.';
      return [
        { rule: 'wildcard-start', severity: 'high', path: [...path, 'match', 'all', i, 'glob'], message, remedy },
      ];
    }),
  );

/** Others get tokens for the same audience and could send them here. */
export const sharedAudience: LintRule = (parts) =>
  eachBinding(parts, (binding, path) => {
    const [token] = boundTokens(parts, binding);
    if (token === undefined || !token.issuer.sharedAudience || isRestricted(token)) return [];
    const message = 'takes tokens of an audience that others have too, and does not say of whom';
    const remedy = 'Add conditions with equals on the subject, or on project and pipeline.';
    return [{ rule: 'shared-audience', severity: 'high', path: [...path, 'match'], message, remedy }];
  });

/** GitLab and GitHub run pipelines for branches that anybody who may push can make. */
export const unprotectedRef: LintRule = (parts) =>
  eachBinding(parts, (binding, path) => {
    const [token] = boundTokens(parts, binding);
    const profile = token?.issuer.profile;
    if (token === undefined || (profile !== 'gitlab' && profile !== 'github')) return [];
    const restricted = restrictedClaims(token);
    const claims = ['ref_protected', 'ref', 'ref_path', 'environment', 'job_workflow_ref', 'ci_config_ref_uri', 'sub'];
    if (binding.require?.refProtected === true || claims.some((claim) => restricted.has(claim))) return [];
    const message = 'holds for every branch of the project';
    const remedy = 'Add `require: {refProtected: true}`, or a condition on ref or environment.';
    return [{ rule: 'unprotected-ref', severity: 'medium', path: [...path, 'match'], message, remedy }];
  });

/** Nobody should forget that a binding only reports. */
export const reportMode: LintRule = (parts) =>
  eachBinding(parts, ({ mode = parts.document.mode }, path) => {
    if (mode !== 'report') return [];
    const message = 'only reports: what its roles and pipelines refuse is let pass';
    const remedy = 'Set `mode: enforce` when the audit shows no refusal that is not wanted.';
    return [{ rule: 'report-mode', severity: 'low', path, message, remedy }];
  });

/** One application or managed identity and no other. */
function isWorkload([token]: readonly BoundToken[]): boolean {
  const pinned = token === undefined ? new Set() : pinnedClaims(token);
  return ['oid', 'sub', 'azp', 'appid'].some((claim) => pinned.has(claim));
}

function isRestricted(token: BoundToken): boolean {
  const pinned = pinnedClaims(token);
  if (token.issuer.profile === 'azure-pipelines') return pinned.has('prj_id') && pinned.has('def_id');
  return token.issuer.profile === 'azure-connection' ? pinned.has('sub') : pinned.size > 0;
}

function eachBinding(
  { document }: PolicyParts,
  find: (binding: BindingEntry, path: readonly (string | number)[]) => readonly Finding[],
): Finding[] {
  return document.bindings.flatMap((binding, i) => find(binding, ['bindings', i]));
}
