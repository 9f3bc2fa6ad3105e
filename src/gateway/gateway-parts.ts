import { join } from 'node:path';
import type { JsonValue } from '#core/json.ts';
import type { Http } from '#http/http.ts';
import type { AirflowServices } from './app/airflow-routes.ts';
import type { AppServices } from './app/app-services.ts';
import type { Front } from './app/front.ts';
import { GatewayReadiness } from './app/gateway-readiness.ts';
import { probeLuigid } from './app/luigid-probe.ts';
import { roleBundles } from './app/role-bundles.ts';
import { loadRunTokenKey } from './app/run-token-key.ts';
import { UserSockets } from './app/user-sockets.ts';
import type { AuditType } from './audit/audit-types.ts';
import type { Authenticator } from './auth/authenticator.ts';
import { runTokens } from './auth/run-tokens.ts';
import { type WorkerTokens, workerTokens } from './auth/worker-tokens.ts';
import { bundleStore } from './code/bundle-store.ts';
import type { GatewayConfig } from './config/gateway-config.ts';
import { type Closer, keysOf, openGround, type PartsOptions } from './gateway-ground.ts';
import { taskTokenExchange } from './issuer/task-token-exchange.ts';
import { localLauncher } from './launch/local-launcher.ts';
import { checkLuigidSocket, luigidSocketProblem } from './luigid-socket-problem.ts';
import { openAirflow } from './open-airflow.ts';
import { openDispatch } from './open-dispatch.ts';
import { openFront } from './open-front.ts';
import { openIssuer } from './open-issuer.ts';
import { openPeople } from './open-people.ts';
import { openPolicy } from './open-policy.ts';
import { openRuns } from './open-runs.ts';
import { luigidUrl, openStockWorkers } from './open-stock-workers.ts';
import type { WorkerAccess } from './runs/worker-access.ts';
import { StoredTokenLedger } from './store/stored-token-ledger.ts';
import { liveWorkers } from './workers/live-workers.ts';

/** Everything that the gateway's API stands on, open. */
export interface GatewayParts {
  readonly services: AppServices;
  readonly readiness: GatewayReadiness;
  readonly isolation: 'user' | 'none';
  /** What answers before the API does. */
  readonly front: Front | undefined;
  /** Where workers of this machine reach the gateway, not answered yet; absent: they have nothing to ask it. */
  readonly sockets: UserSockets | undefined;
  /** The URL of the listener, as soon as there is one. */
  listensAt(url: string): void;
  audited(type: AuditType, data: Readonly<Record<string, JsonValue>>): Promise<void>;
  /** In the order of their need: runs, checkpoint, audit, policy, issuers, store. */
  close(): Promise<void>;
}

/** @throws {PlumblineError} what the rooms throw; then nothing is left open. */
export async function openParts(config: GatewayConfig, options: PartsOptions): Promise<GatewayParts> {
  const closers: Closer[] = [];
  const close = async () => {
    for (const closer of closers.splice(0).toReversed()) await closer();
  };
  try {
    return { ...(await open(config, options, closers)), close };
  } catch (error) {
    await close().catch(() => undefined);
    throw error;
  }
}

async function open(
  config: GatewayConfig,
  options: PartsOptions,
  closers: Closer[],
): Promise<Omit<GatewayParts, 'close'>> {
  const { log, clock, workerPath } = options;
  const isolation = config.isolation === 'users' ? 'user' : 'none';
  const sockets = hasWorkerCalls(config) ? new UserSockets(config.runsDirectory, config) : undefined;
  checkLuigidSocket(config);
  // First what needs rights, which nothing else can make up for.
  const { runsDirectory } = config;
  const launcher = await localLauncher({ runsDirectory, workerPath, isolation, sockets, log, clock });
  await openSockets(sockets, isolation, closers);
  const key = await loadRunTokenKey(keysOf(config));
  const ground = await openGround(config, options, closers);
  const { http, audit, store, metrics } = ground;
  const { policyFile, authenticator, onChange } = await openPolicy(ground);
  const uploaded = bundleStore(join(config.stateDirectory, 'bundles'));
  const tokensOfWorkers = workerTokens(key);
  const issuer = await openIssuer(ground);
  const airflow = await openAirflow(ground, policyFile);
  const access = sockets && workerAccess(config, tokensOfWorkers);
  const runs = await openRuns(ground, { launcher, policyFile, bundles: uploaded, access });
  const stock = await openStockWorkers(ground, policyFile);
  const dispatch = await openDispatch(ground, policyFile);
  onChange(() => {
    runs.policyChanged();
    stock?.policyChanged();
  });
  metrics.observe({
    runs: () => runs.counts(),
    issuersUnavailable: () => unavailable(authenticator),
    pipelineRuns: dispatch && (() => dispatch.runs.counts()),
  });
  const readiness = new GatewayReadiness({
    audit,
    store: () => store.problem(),
    policyRejected: () => policyFile.problems.length > 0,
    authenticator,
    isolation,
    luigid: luigidCheck(config, http),
    issuer,
    airflow: airflow && (() => airflowProblem(airflow)),
    azureDevOps: dispatch && (() => dispatch.runs.problem()),
    now: () => clock.now(),
  });
  void runs.recovered().then(
    () => {
      readiness.serving = true;
    },
    () => undefined,
  );
  const workers = liveWorkers({ runs: runs.workers, stock, policy: () => policyFile.policy, clock });
  const people = openPeople(ground, policyFile);
  const front = openFront(ground, { workers, workerTokens: tokensOfWorkers, policyFile, readiness, signIn: people });
  const services: AppServices = {
    runs,
    workers,
    workerTokens: tokensOfWorkers,
    issuer,
    taskTokens: issuer && taskTokenExchange({ workers, policy: () => policyFile.policy, issuer, audit }),
    airflow,
    dispatch,
    signIn: people?.signIn,
    stockWorkers: stock && { workers: stock, tokens: tokensOfWorkers, schedulerUrl: () => luigidUrl(config) ?? '' },
    bundles: roleBundles({ store: uploaded, audit, policy: () => policyFile.policy, now: () => clock.now() }),
    authenticator,
    runTokens: runTokens(key, clock),
    ledger: new StoredTokenLedger(store, clock),
    legacy: () => policyFile.policy.legacy,
    audit,
    readiness,
    metrics,
    clock,
  };
  const audited = async (type: AuditType, data: Readonly<Record<string, JsonValue>>) => {
    await audit.append({ type, data });
  };
  return {
    services,
    readiness,
    isolation,
    front,
    sockets,
    audited,
    listensAt: (url) => people?.listensAt(url),
  };
}

/** What readiness asks of luigid; a socket that was opened to others in the meantime is told, too. */
function luigidCheck({ luigid }: GatewayConfig, http: Http): (() => Promise<string | undefined>) | undefined {
  if (luigid === undefined) return undefined;
  const { upstream } = luigid;
  return async () =>
    (upstream.kind === 'socket' ? luigidSocketProblem(upstream.path) : undefined) ?? probeLuigid(upstream, http);
}

/** Of the first that has one. */
function airflowProblem({ issuers }: AirflowServices): string | undefined {
  for (const [name, issuer] of issuers) {
    const problem = issuer.problem();
    if (problem !== undefined) return `${name}: ${problem}`;
  }
  return undefined;
}

/** Workers of the gateway's own user have theirs from the start. */
async function openSockets(
  sockets: UserSockets | undefined,
  isolation: 'user' | 'none',
  closers: Closer[],
): Promise<void> {
  if (sockets === undefined) return;
  await sockets.open();
  closers.push(() => sockets.close());
  if (isolation === 'none') await sockets.pathFor(undefined);
}

function workerAccess(config: GatewayConfig, tokens: WorkerTokens): WorkerAccess {
  return { tokens, issues: config.issuer !== undefined, luigid: luigidUrl(config) };
}

/** Workers ask for tokens, or reach their luigid through this gateway. */
function hasWorkerCalls({ issuer, luigid }: GatewayConfig): boolean {
  return issuer !== undefined || luigid?.proxied === true;
}

function unavailable(authenticator: Authenticator): number {
  return authenticator.health().filter(({ keys }) => keys === 'unavailable').length;
}
