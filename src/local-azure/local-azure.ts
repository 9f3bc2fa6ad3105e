import { type Clock, systemClock } from '#core/clock.ts';
import { type AgentEndpoint, agentEndpoint } from './agent-endpoint.ts';
import { AzureDevOps } from './azure-devops.ts';
import { createCertificateAuthority } from './certificate-authority.ts';
import type { PublishedKeys } from './client-assertion.ts';
import { CLOUDS, loginHosts } from './clouds.ts';
import { type ConnectProxy, startConnectProxy } from './connect-proxy.ts';
import type { AzureDeclaration } from './declaration.ts';
import { DiscoveredKeys } from './discovered-keys.ts';
import { Entra } from './entra.ts';
import type { RecordedExchange, Service } from './exchange.ts';
import { Faults } from './faults.ts';
import { azureDevOpsIssuer, entraIssuer, OIDC_HOST } from './federation.ts';
import { IdTokens } from './id-tokens.ts';
import { JobTokens } from './job-tokens.ts';
import { KeyVault } from './key-vault.ts';
import { startManagedIdentity } from './managed-identity.ts';
import { OidcProvider } from './oidc-provider.ts';
import {
  type JobFacts,
  PipelineRun,
  type PipelineRunFacts,
  type PublishedAttachment,
  type PullRequestStatus,
  type StepFacts,
} from './pipeline-run.ts';
import { readAzureDeclaration } from './read-declaration.ts';
import { resolveWorld } from './resolve-world.ts';
import { type ExchangeObserver, type ServiceFront, startServiceFront } from './service-front.ts';
import { createSigningKey, type SigningKey } from './signing-key.ts';
import type { World } from './world.ts';

/** Entra ID, Key Vault and Azure DevOps Services on this machine, for one pipeline at a time. */
export interface LocalAzure {
  /** Plain HTTP on loopback; without user info. */
  readonly proxyUrl: string;
  /** PEM file of the certificate authority behind every served host; gone after `close`. */
  readonly caFile: string;
  readonly organization: { readonly name: string; readonly id: string; readonly url: string };
  readonly project: { readonly name: string; readonly id: string };
  /** `IDENTITY_ENDPOINT` and `IDENTITY_HEADER` of this machine, when the declaration gives it identities. */
  readonly managedIdentity: { readonly endpoint: string; readonly header: string } | undefined;
  /** The service connections as the agent sees them. */
  connections(): readonly AgentEndpoint[];
  /** Begins a run; what was published before is forgotten, and the tokens of earlier jobs are worthless. */
  beginRun(run: PipelineRunFacts): void;
  /** The job's access token and the address that gives its ID tokens, for the connections that it names and no others. */
  beginJob(job: JobFacts): { accessToken: string; oidcRequestUri: string };
  beginStep(step: StepFacts): void;
  /** Its access token is worthless from then on. */
  endJob(jobId: string): void;
  published(): {
    tags: string[];
    properties: Record<string, string>;
    attachments: PublishedAttachment[];
    statuses: PullRequestStatus[];
  };
  /** What was asked, refused and answered, oldest first. Never a token or a secret's value. */
  exchanges(): readonly RecordedExchange[];
  close(): Promise<void>;
}

export interface LocalAzureOptions {
  /** What the proxy asks for. Default: nothing. */
  readonly proxyCredentials?: { readonly username: string; readonly password: string };
  readonly clock?: Clock;
  /** Told of every exchange that a service answered. */
  readonly observe?: ExchangeObserver;
}

/**
 * Starts it on loopback, with keys and a certificate authority made for this start.
 *
 * @throws PlumblineError ERR_INPUT_INVALID when the declaration does not fit its schema or names what is not there.
 */
export async function startLocalAzure(
  declaration: AzureDeclaration,
  options: LocalAzureOptions = {},
): Promise<LocalAzure> {
  const world = resolveWorld(readAzureDeclaration(declaration));
  const clock = options.clock ?? systemClock;
  const [entraKey, devOpsKey, authority] = await Promise.all([
    createSigningKey(),
    createSigningKey(),
    createCertificateAuthority(),
  ]);
  const exchanges: RecordedExchange[] = [];
  const record = (exchange: RecordedExchange) => void exchanges.push(exchange);
  const state: State = { run: undefined, tokens: new JobTokens(clock, world.lifetimes.jobToken) };
  const services = allServices({ world, clock, entraKey, devOpsKey, state, record });
  const hosts = [...services.keys()];
  const certificate = authority.issue(hosts);
  const front = await startServiceFront({
    services,
    certificate,
    faults: new Faults(world.faults),
    clock,
    maxBodyBytes: world.attachmentBytes,
    record,
    observe: options.observe,
  });
  const proxy = await startConnectProxy({
    target: front.port,
    hosts: new Set(hosts),
    credentials: options.proxyCredentials,
    record,
    now: () => clock.now(),
  });
  const identity =
    world.machineIdentities.length > 0
      ? await startManagedIdentity({ world, key: entraKey, clock, record })
      : undefined;
  const running: Running = {
    front,
    proxy,
    close: async () => void (await Promise.all([identity?.close(), authority.remove()])),
  };
  return {
    proxyUrl: proxy.url,
    caFile: authority.caFile,
    organization: world.organization,
    project: world.project,
    managedIdentity: identity && { endpoint: identity.endpoint, header: identity.header },
    connections: () => world.connections.map(agentEndpoint),
    exchanges: () => [...exchanges],
    ...pipelineSide(world, state, clock),
    close: () => closeAll(running),
  };
}

interface State {
  run: PipelineRun | undefined;
  readonly tokens: JobTokens;
}

interface Running {
  readonly front: ServiceFront;
  readonly proxy: ConnectProxy;
  close(): Promise<void>;
}

async function closeAll({ proxy, front, close }: Running): Promise<void> {
  await proxy.close();
  await front.close();
  await close();
}

interface Parts {
  readonly world: World;
  readonly clock: Clock;
  readonly entraKey: SigningKey;
  readonly devOpsKey: SigningKey;
  readonly state: State;
  readonly record: (exchange: RecordedExchange) => void;
}

function allServices(parts: Parts): ReadonlyMap<string, Service> {
  const { world, clock, entraKey, devOpsKey, state } = parts;
  const { organization, tenants, vaults } = world;
  const entra = new Entra({ world, key: entraKey, publishedKeys: publishedKeys(parts), clock });
  const idTokens = new IdTokens({ world, devOpsKey, entraKey, clock });
  const devOps = new AzureDevOps({ world, tokens: state.tokens, idTokens, clock, run: () => state.run });
  return new Map<string, Service>([
    ['dev.azure.com', devOps],
    [`${organization.name.toLowerCase()}.visualstudio.com`, devOps],
    [OIDC_HOST, new OidcProvider(organization.id, devOpsKey)],
    ...tenants.flatMap(({ cloud }) => loginHosts(cloud)).map((host): [string, Service] => [host, entra]),
    ...vaults.map((vault): [string, Service] => [vault.host, new KeyVault({ vault, key: entraKey, clock })]),
  ]);
}

/** What Entra would fetch from each issuer; what it does fetch where the declaration says how. */
function publishedKeys({ world, clock, entraKey, devOpsKey, record }: Parts): PublishedKeys {
  const known = new Map<string, PublishedKeys>(
    world.issuers.map((declared) => {
      if (!('discovery' in declared)) return [declared.issuer, () => declared.jwks];
      const discovered = new DiscoveredKeys({ declared, clock, record });
      return [declared.issuer, (_, kid) => discovered.keys(kid)];
    }),
  );
  known.set(azureDevOpsIssuer(world.organization.id), () => ({ keys: [devOpsKey.jwk] }));
  for (const { id, cloud } of world.tenants)
    known.set(entraIssuer(CLOUDS[cloud].login, id), () => ({ keys: [entraKey.jwk] }));
  return (issuer, kid) => known.get(issuer)?.(issuer, kid);
}

type PipelineSide = Pick<LocalAzure, 'beginRun' | 'beginJob' | 'beginStep' | 'endJob' | 'published'>;

function pipelineSide(world: World, state: State, clock: Clock): PipelineSide {
  const current = (): PipelineRun => {
    if (state.run === undefined) throw new TypeError('no run was begun');
    return state.run;
  };
  return {
    beginRun: (run) => {
      state.tokens.revokeAll();
      state.run = new PipelineRun(run, clock.now());
    },
    beginJob: (job) => {
      const { facts } = current();
      current().addJob(job, clock.now());
      const accessToken = state.tokens.issue(job, { BuildId: `${facts.planId};${facts.buildId}`, orchid: job.jobId });
      const path = `_apis/distributedtask/hubs/build/plans/${job.planId}/jobs/${job.jobId}/oidctoken`;
      return { accessToken, oidcRequestUri: `${world.organization.url}${world.project.id}/${path}` };
    },
    beginStep: (step) => current().addStep(step, clock.now()),
    endJob: (jobId) => {
      state.tokens.revoke(jobId);
      current().endJob(jobId, clock.now());
    },
    published: () => {
      const { tags, properties, statuses } = current();
      return {
        tags: [...tags],
        properties: Object.fromEntries(properties),
        attachments: [...current().attachments()],
        statuses: [...statuses],
      };
    },
  };
}
