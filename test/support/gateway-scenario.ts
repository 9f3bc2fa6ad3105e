import { randomUUID } from 'node:crypto';
import { cpSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GatewayRunRequest } from '#engines/luigi/gateway-request.ts';
import { type LuigiGatewayEngine, luigiGateway } from '#engines/luigi/luigi-gateway.ts';
import { createHttp } from '#http/http.ts';
import type { AzureDeclaration } from '#local-azure/declaration.ts';
import type { LocalAzure } from '#local-azure/local-azure.ts';
import { type ProofHeaders, pipelineProof } from '../../scripts/gateway-callers.ts';
import { pythonOf } from '../../scripts/python-environments.mjs';
import { ROOT } from '../../scripts/repository.ts';
import { type LocalGateway, startLocalGateway } from '../../scripts/start-local-gateway.ts';

export const GATEWAY_PROGRAM = join(ROOT, 'src/cli/main.ts');
const TENANT = '4f1c6c5e-2b7a-4d0e-9a53-6c1f0b8d7e21';
const ORGANIZATION = '5f0a7d2e-6c1b-4b0f-9a3e-2f4d8c7b1e60';
const PROJECT = '9c4e1f7a-2d3b-4a58-8e6f-7b0c5d1a2e93';
const GATEWAY_CLIENT = '2e9d4c1b-7a60-4f3d-8b5e-1c0f9a8d7b64';
export const STEP_CLIENT = '8b0f3a6d-5c1e-4e57-b1a4-0d9c2f7e6a18';
const STEP_OBJECT = '3d7b2f90-1e4c-4a8b-9c6d-5f0e8a1b7c42';
/** A secret of the role `secretive`. */
export const CANARY = 'gateway-canary-5d2c81';

/** One organisation with a connection to the gateway of each scheme, and one that the policy does not know. */
export function gatewayAzure(): AzureDeclaration {
  const toGateway = {
    type: 'plumbline-gateway',
    // The real one is known only when the gateway listens.
    url: 'http://127.0.0.1:1',
    data: { audience: 'api://plumbline-gateway' },
  } as const;
  return {
    organization: { name: 'contoso', id: ORGANIZATION },
    project: { name: 'Retail', id: PROJECT },
    tenants: [{ id: TENANT, name: 'contoso' }],
    identities: [
      {
        name: 'plumbline-gateway',
        clientId: GATEWAY_CLIENT,
        exposes: { identifierUris: ['api://plumbline-gateway'], accessTokenVersion: 2 },
      },
      {
        name: 'step',
        clientId: STEP_CLIENT,
        objectId: STEP_OBJECT,
        federatedCredentials: [{ connection: 'retail-gateway' }],
      },
      {
        name: 'stranger',
        clientId: '11111111-5c1e-4e57-b1a4-0d9c2f7e6a18',
        federatedCredentials: [{ connection: 'stranger' }],
      },
      { name: 'gateway-machine', kind: 'managedIdentity', clientId: '7c1d0e5f-3b2a-4968-8d7e-6f5a4b3c2d10' },
    ],
    machineIdentities: ['gateway-machine'],
    connections: [
      { name: 'retail-gateway', scheme: 'WorkloadIdentityFederation', identity: 'step', ...toGateway },
      { name: 'stranger', scheme: 'WorkloadIdentityFederation', identity: 'stranger', ...toGateway },
      { name: 'pipeline', scheme: 'None', ...toGateway },
    ],
    vaults: [{ name: 'contoso-retail', secrets: { canary: CANARY } }],
    roleAssignments: [{ identity: 'gateway-machine', role: 'Key Vault Secrets User', vault: 'contoso-retail' }],
  };
}

/** What both ways to sign in may run: the tests' own Luigi modules. */
function policy(code: string): string {
  const role = (folder: string, more: object = {}) => ({
    modules: ['**'],
    tasks: ['**'],
    otherParameters: true,
    code: {
      kind: 'installed',
      path: join(code, folder),
      python: '(set by the script)',
    },
    maxWorkers: 4,
    maxRuntime: '10m',
    concurrency: 4,
    attempts: 1,
    scheduler: 'local',
    ...more,
  });
  const secret = { vault: 'contoso-retail', secret: 'canary' };
  const facts = (runFacts: boolean) =>
    [
      ['prj_id', PROJECT],
      ['rpo_ref', '**'],
    ].map(([claim, value]) => ({
      claim,
      ...(runFacts && { runFacts: true }),
      ...(value === '**' ? { glob: value } : { equals: value }),
    }));
  const signed = (project: string) => ({ prj_id: project, rpo_ref: 'refs/heads/main' });
  const run = { module: 'm', task: 'T', parameters: {} };
  const roles = ['scenarios', 'steps', 'secretive'];
  return JSON.stringify({
    apiVersion: 'plumbline.dev/policy/v1',
    issuers: {
      entra: {
        profile: 'entra',
        issuer: `https://login.microsoftonline.com/${TENANT}/v2.0`,
        audiences: [GATEWAY_CLIENT],
      },
      pipelines: {
        profile: 'azure-pipelines',
        issuer: `https://vstoken.dev.azure.com/${ORGANIZATION}`,
        audiences: ['api://AzureADTokenExchange'],
        sharedAudience: true,
      },
    },
    roles: {
      scenarios: role('luigi-agent'),
      steps: role('luigi'),
      secretive: role('luigi', {
        secrets: [
          { ...secret, target: 'environment', name: 'PLAIN' },
          { ...secret, target: 'environment', name: 'QUOTED' },
          { ...secret, target: 'file', name: 'LINES' },
          { ...secret, target: 'parameter', name: 'password' },
        ],
      }),
    },
    bindings: [
      {
        name: 'with-federation',
        issuer: 'entra',
        runFactsIssuer: 'pipelines',
        match: { all: [{ claim: 'oid', equals: STEP_OBJECT }, ...facts(true)] },
        roles,
        examples: {
          allow: [{ title: 'the step', claims: { oid: STEP_OBJECT }, runFacts: signed(PROJECT), role: 'steps', run }],
          deny: [{ title: 'another project', claims: { oid: STEP_OBJECT }, runFacts: signed(TENANT), role: 'steps' }],
        },
      },
      {
        name: 'pipelines-own',
        issuer: 'pipelines',
        match: { all: facts(false) },
        roles,
        examples: {
          allow: [{ title: 'a pipeline of the project', claims: signed(PROJECT), role: 'steps', run }],
          deny: [{ title: 'one of another project', claims: signed(TENANT), role: 'steps' }],
        },
      },
    ],
  });
}

/** A real gateway process with its Azure, and callers of it. Slow to start: one for all tests of a file. */
export class GatewayScenario {
  readonly gateway: LocalGateway;
  readonly proof: () => Promise<ProofHeaders>;
  readonly folder: string;

  private constructor(gateway: LocalGateway, folder: string) {
    this.gateway = gateway;
    this.folder = folder;
    this.proof = pipelineProof(gateway.azure);
  }

  static async start(settings: Readonly<Record<string, unknown>> = {}): Promise<GatewayScenario> {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), 'plumbline-gateway-')));
    // Tasks run in the folder of their code, and write there.
    for (const modules of ['luigi', 'luigi-agent']) {
      cpSync(join(ROOT, 'test/fixtures', modules), join(folder, modules), { recursive: true });
    }
    const gateway = await startLocalGateway({
      folder: join(folder, 'gateway'),
      python: pythonOf(ROOT, 'luigi'),
      program: GATEWAY_PROGRAM,
      policy: policy(folder),
      azure: gatewayAzure(),
      isolation: 'none',
      settings: { 'limits.requestsPerCaller': 100_000, 'limits.requestsPerAddress': 100_000, ...settings },
    });
    return new GatewayScenario(gateway, folder);
  }

  /** Its Azure, with connections that lead to it. */
  get azure(): LocalAzure {
    const { azure, url } = this.gateway;
    const connections = () =>
      azure.connections().map((one) => (one.type === 'plumbline-gateway' ? { ...one, url } : one));
    return { ...azure, connections };
  }

  engine(lostAfterMs?: number): LuigiGatewayEngine {
    return luigiGateway({
      url: this.gateway.url,
      http: createHttp({ skipVerification: false }),
      credentials: { headers: this.proof },
      mask: () => undefined,
      ...(lostAfterMs !== undefined && { lostAfterMs }),
    });
  }

  async close(): Promise<void> {
    await this.gateway.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A request for a task of test/fixtures/luigi-agent that nobody has run before. */
export function scenarioRequest(task: string, changes: Partial<GatewayRunRequest> = {}): GatewayRunRequest {
  const id = changes.id ?? `run-${randomUUID()}`;
  return {
    id,
    attempt: '1.1',
    role: 'scenarios',
    module: 'scenarios',
    task,
    parameters: { name: id },
    workers: 1,
    claimed: {},
    ...changes,
  };
}
