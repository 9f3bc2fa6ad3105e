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
import { PipelineQueue, type QueuedRunState, type RunQueued } from './pipeline-queue.ts';
import { PipelineRuns } from './pipeline-runs.ts';
import { readAzureDeclaration } from './read-declaration.ts';
import { resolveWorld } from './resolve-world.ts';
import { type PipelineSide, RunSession, type RunTokenHolder } from './run-session.ts';
import { type ExchangeObserver, type ServiceFront, startServiceFront } from './service-front.ts';
import { createSigningKey, type SigningKey } from './signing-key.ts';
import type { Project, World } from './world.ts';

/** Azure as one pipeline run needs it: who the job is, which connections exist, what was published. */
export interface RunServices extends PipelineSide {
  /** Plain HTTP on loopback; without user info. */
  readonly proxyUrl: string;
  /** PEM file of the certificate authority behind every served host; gone after `close`. */
  readonly caFile: string;
  readonly organization: { readonly name: string; readonly id: string; readonly url: string };
  readonly project: Project;
  /** `IDENTITY_ENDPOINT` and `IDENTITY_HEADER` of this machine, when the declaration gives it identities. */
  readonly managedIdentity: { readonly endpoint: string; readonly header: string } | undefined;
  /** The service connections as the agent sees them. */
  connections(): readonly AgentEndpoint[];
}

/**
 * Entra ID, Key Vault and Azure DevOps Services on this machine. Its own pipeline side is for one run at a time: when one begins, what
 * the one before published is forgotten. Runs that were queued by REST have sides of their own.
 */
export interface LocalAzure extends RunServices {
  /** What was queued by REST, oldest first. */
  runs(): readonly QueuedRunState[];
  /** Until no queued run goes on. */
  settled(): Promise<void>;
  /** What was asked, refused and answered, oldest first. Never a token or a secret's value. */
  exchanges(): readonly RecordedExchange[];
  /** Queued runs that go on are cancelled, and waited for. */
  close(): Promise<void>;
}

export interface LocalAzureOptions {
  /** What the proxy asks for. Default: nothing. */
  readonly proxyCredentials?: { readonly username: string; readonly password: string };
  readonly clock?: Clock;
  /** Told of every exchange that a service answered. */
  readonly observe?: ExchangeObserver;
  /** Runs what is queued by REST. Default: it stays queued. */
  readonly runQueued?: RunQueued<RunServices>;
  /** What the files of declared pipelines lie below. Default: the working directory. */
  readonly directory?: string;
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
  const tokens = new JobTokens<RunTokenHolder>(clock, world.lifetimes.jobToken);
  const sessions = { world, clock, tokens, runs: new PipelineRuns() };
  const { runQueued, directory = process.cwd() } = options;
  const queue = new PipelineQueue<RunServices>({
    ...sessions,
    directory,
    run: runQueued,
    services: (session, project) => ({ ...around(), ...sideOf(session), project }),
  });
  const services = allServices({ ...sessions, entraKey, devOpsKey, queue, record });
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
    queue,
    close: async () => void (await Promise.all([identity?.close(), authority.remove()])),
  };
  const { name, id, url } = world.organization;
  const around = () => ({
    proxyUrl: proxy.url,
    caFile: authority.caFile,
    organization: { name, id, url },
    project: world.project,
    managedIdentity: identity && { endpoint: identity.endpoint, header: identity.header },
    connections: () => world.connections.map(agentEndpoint),
  });
  return {
    ...around(),
    ...sideOf(new RunSession(sessions)),
    runs: () => queue.states(),
    settled: () => queue.settled(),
    exchanges: () => [...exchanges],
    close: () => closeAll(running),
  };
}

/** Its methods by themselves, as plain functions. */
function sideOf(session: PipelineSide): PipelineSide {
  return {
    beginRun: (run) => session.beginRun(run),
    beginJob: (job) => session.beginJob(job),
    beginStep: (step) => session.beginStep(step),
    endJob: (jobId) => session.endJob(jobId),
    published: () => session.published(),
  };
}

interface Running {
  readonly front: ServiceFront;
  readonly proxy: ConnectProxy;
  readonly queue: Pick<PipelineQueue, 'close'>;
  close(): Promise<void>;
}

async function closeAll({ proxy, front, queue, close }: Running): Promise<void> {
  await queue.close();
  await proxy.close();
  await front.close();
  await close();
}

interface Parts {
  readonly world: World;
  readonly clock: Clock;
  readonly entraKey: SigningKey;
  readonly devOpsKey: SigningKey;
  readonly tokens: JobTokens<RunTokenHolder>;
  readonly runs: PipelineRuns;
  readonly queue: Pick<PipelineQueue, 'queue' | 'file'>;
  readonly record: (exchange: RecordedExchange) => void;
}

function allServices(parts: Parts): ReadonlyMap<string, Service> {
  const { world, clock, entraKey, devOpsKey, tokens, runs, queue } = parts;
  const { organization, tenants, vaults } = world;
  const entra = new Entra({ world, key: entraKey, publishedKeys: publishedKeys(parts), clock });
  const idTokens = new IdTokens({ world, devOpsKey, entraKey, clock });
  const devOps = new AzureDevOps({ world, tokens, idTokens, entraKey, clock, runs, queue });
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
