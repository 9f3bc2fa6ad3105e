import assert from 'node:assert/strict';
import type { Caller, VerifiedToken } from '#gateway/auth/caller.ts';
import type { LoadedPolicy } from '#gateway/policy/loaded-policy.ts';
import { parsePolicy } from '#gateway/policy/parse-policy.ts';
import type { RunPermission } from '#gateway/policy/policy.ts';

type Fields = Readonly<Record<string, unknown>>;

export const GITLAB = 'https://gitlab.example.com';
export const GATEWAY = 'https://gateway.example.com';
export const TENANT = '4f1c6c5e-2b7a-4d0e-9a53-6c1f0b8d7e21';
export const ORGANIZATION = '5f0a7d2e-6c1b-4b0f-9a3e-2f4d8c7b1e60';
export const APPLICATION = '2e9d4c1b-7a60-4f3d-8b5e-1c0f9a8d7b64';
export const NOW = Date.parse('2026-11-20T12:00:00Z');

export const ISSUERS = {
  gitlab: { profile: 'gitlab', issuer: GITLAB, audiences: [GATEWAY] },
  entra: {
    profile: 'entra',
    issuer: `https://login.microsoftonline.com/${TENANT}/v2.0`,
    audiences: [APPLICATION],
  },
  pipelines: {
    profile: 'azure-pipelines',
    issuer: `https://vstoken.dev.azure.com/${ORGANIZATION}`,
    audiences: ['api://AzureADTokenExchange'],
    sharedAudience: true,
    factsOnly: true,
  },
} as const;

export const ROLE = {
  modules: ['retail.*'],
  tasks: ['DailyReport'],
  code: { kind: 'installed', path: '/srv/retail', python: 'bin/python' },
} as const;

/** A binding that a caller of GitLab's project 7 satisfies. */
export function binding(fields: Fields = {}): Fields {
  return {
    name: 'sales',
    issuer: 'gitlab',
    match: { all: [{ claim: 'project_id', equals: '7' }] },
    roles: ['sales'],
    examples: { allow: [{ claims: { project_id: '7' } }], deny: [{ claims: { project_id: '8' } }] },
    ...fields,
  };
}

export function document(fields: Fields = {}): Fields {
  return {
    apiVersion: 'plumbline.dev/policy/v1',
    issuers: ISSUERS,
    roles: { sales: ROLE },
    bindings: [binding()],
    ...fields,
  };
}

/** A policy as it is written; JSON is YAML. */
export function policyText(fields: Fields = {}): string {
  return `${JSON.stringify(document(fields), null, 2)}\n`;
}

/** @throws AssertionError with every problem, when the document has some. */
export function policyFrom(fields: Fields = {}): LoadedPolicy {
  return loaded(policyText(fields));
}

export function loaded(text: string): LoadedPolicy {
  const { policy, problems } = parsePolicy(text, 'policy.yaml');
  assert.deepEqual(problems, undefined);
  assert.ok(policy);
  return policy;
}

/** `line:field: message` of everything that is wrong. */
export function problemsOf(text: string): string[] {
  const { problems = [] } = parsePolicy(text, 'policy.yaml');
  return problems.map(({ line, field, message }) => `${line}:${field}: ${message}`);
}

export function token(issuer: keyof typeof ISSUERS, claims: VerifiedToken['claims']): VerifiedToken {
  const { profile, issuer: iss, audiences } = ISSUERS[issuer];
  return {
    issuer,
    profile,
    iss,
    subject: String(claims['sub'] ?? 'somebody'),
    audience: audiences[0],
    signed: {},
    claims,
    use: 'once',
    tokenId: 'token-1',
    tokenHash: 'a'.repeat(64),
    expiresAt: NOW + 300_000,
  };
}

export function caller(fields: Partial<Caller> = {}): Caller {
  return { ...token('gitlab', { project_id: '7' }), scope: 'b'.repeat(64), ...fields };
}

export function permission(fields: Partial<RunPermission> = {}): RunPermission {
  return { caller: caller(), role: 'sales', module: 'retail.daily', task: 'DailyReport', parameters: {}, ...fields };
}
