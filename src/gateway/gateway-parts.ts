import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Clock } from '#core/clock.ts';
import type { JsonValue } from '#core/json.ts';
import { createHttp, type Http } from '#http/http.ts';
import { machineIdentity } from '#identity/machine-identity.ts';
import type { AppServices } from './app/app-services.ts';
import { countedAudit } from './app/counted-audit.ts';
import { countedPolicy } from './app/counted-policy.ts';
import { GatewayMetrics } from './app/gateway-metrics.ts';
import { GatewayReadiness } from './app/gateway-readiness.ts';
import { roleBundles } from './app/role-bundles.ts';
import { loadRunTokenKey } from './app/run-token-key.ts';
import { storedAuditIndex } from './audit/audit-index.ts';
import { loadAuditKeys } from './audit/audit-keys.ts';
import type { AuditLog } from './audit/audit-log.ts';
import type { AuditType } from './audit/audit-types.ts';
import { openAuditLog } from './audit/open-audit-log.ts';
import type { Authenticator } from './auth/authenticator.ts';
import { createAuthenticator } from './auth/create-authenticator.ts';
import { runTokens } from './auth/run-tokens.ts';
import { type BundleStore, bundleStore } from './code/bundle-store.ts';
import { CodeFolders } from './code/code-folders.ts';
import { codePreparer } from './code/code-preparer.ts';
import type { GatewayConfig } from './config/gateway-config.ts';
import type { Launcher } from './launch/launcher.ts';
import { localLauncher } from './launch/local-launcher.ts';
import { PolicyFile } from './policy/policy-file.ts';
import type { SecretReader } from './runs/run-collaborators.ts';
import { RunService } from './runs/run-service.ts';
import { vaultSecrets } from './secrets/vault-secrets.ts';
import { Store } from './store/store.ts';
import { StoredTokenLedger } from './store/stored-token-ledger.ts';

export interface PartsOptions {
  readonly log: Logger;
  readonly clock: Clock;
  readonly workerPath: string;
}

/** Everything that the gateway's API stands on, open. */
export interface GatewayParts {
  readonly services: AppServices;
  readonly readiness: GatewayReadiness;
  readonly isolation: 'user' | 'none';
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

type Closer = () => Promise<void> | void;

/** What every room shares. */
interface Ground {
  readonly config: GatewayConfig;
  readonly options: PartsOptions;
  readonly http: Http;
  readonly audit: AuditLog;
  readonly store: Store;
  readonly metrics: GatewayMetrics;
  readonly closers: Closer[];
}

async function open(
  config: GatewayConfig,
  options: PartsOptions,
  closers: Closer[],
): Promise<Omit<GatewayParts, 'close'>> {
  const { log, clock, workerPath } = options;
  const isolation = config.isolation === 'users' ? 'user' : 'none';
  // First what needs rights, which nothing else can make up for.
  const { runsDirectory } = config;
  const launcher = await localLauncher({ runsDirectory, workerPath, isolation, log, clock });
  const key = await loadRunTokenKey(keysOf(config));
  const ground = await openGround(config, options, closers);
  const { http, audit, store, metrics } = ground;
  const { policyFile, authenticator, onChange } = await openPolicy(ground);
  const uploaded = bundleStore(join(config.stateDirectory, 'bundles'));
  const runs = await startRuns(ground, launcher, policyFile, uploaded);
  onChange(() => runs.policyChanged());
  metrics.observe({ runs: () => runs.counts(), issuersUnavailable: () => unavailable(authenticator) });
  const readiness = new GatewayReadiness({
    audit,
    store: () => store.problem(),
    policyRejected: () => policyFile.problems.length > 0,
    authenticator,
    isolation,
    luigid: openLuigid(config),
    http,
    now: () => clock.now(),
  });
  void runs.recovered().then(
    () => {
      readiness.serving = true;
    },
    () => undefined,
  );
  const services: AppServices = {
    runs,
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
  return { services, readiness, isolation, audited };
}

/** The URL of a luigid that workers reach by themselves. */
function openLuigid({ luigid }: GatewayConfig): string | undefined {
  return luigid?.proxied === false && luigid.upstream.kind === 'url' ? luigid.upstream.url : undefined;
}

function keysOf({ stateDirectory }: GatewayConfig): string {
  return join(stateDirectory, 'keys');
}

/** Store before audit: the audit's index lies in it. */
async function openGround(config: GatewayConfig, options: PartsOptions, closers: Closer[]): Promise<Ground> {
  const { log, clock } = options;
  const { stateDirectory, audit: settings, publicUrl } = config;
  const keys = await loadAuditKeys({ directory: keysOf(config), ...originOf(publicUrl) });
  const store = await Store.open(join(stateDirectory, 'store.sqlite'), clock);
  closers.push(() => store.close());
  const metrics = new GatewayMetrics();
  const opened = await openAuditLog({
    directory: join(stateDirectory, 'audit'),
    keys,
    clock,
    checkpoint: {
      everyMs: settings.checkpointEveryMs,
      everyRecords: settings.checkpointEveryRecords,
      exportDirectory: settings.exportDirectory,
    },
    index: storedAuditIndex(store.database as unknown as Parameters<typeof storedAuditIndex>[0]),
    onProblem: (message) => log.error({ room: 'audit' }, message),
  });
  const audit = countedAudit(opened, metrics);
  closers.push(async () => {
    await audit.checkpoint().catch(() => undefined);
    await audit.close();
  });
  return { config, options, http: createHttp(config.network, { clock }), audit, store, metrics, closers };
}

function originOf(publicUrl: string | undefined): { origin?: string } {
  const host = URL.parse(publicUrl ?? '')?.hostname;
  return host ? { origin: `${host}/audit` } : {};
}

interface PolicyParts {
  readonly policyFile: PolicyFile;
  readonly authenticator: Authenticator;
  /** Calls when another policy is in force. */
  onChange(changed: () => void): void;
}

/** A policy is on record before it is in force, and in force with its issuers or not at all. */
async function openPolicy({ config, options, http, audit, metrics, closers }: Ground): Promise<PolicyParts> {
  const { log, clock } = options;
  let authenticator: Authenticator | undefined;
  let changed = () => {};
  const rejected = async (fields: readonly string[]) => {
    metrics.policyRead('rejected');
    log.error({ fields }, 'the policy file was rejected; the last good policy stays in force');
    await audit.append({ type: 'dev.plumbline.policy.rejected', data: { fields } }).catch(() => undefined);
  };
  const policyFile = await PolicyFile.open({
    path: config.policyFile,
    clock,
    onLoaded: async ({ sha256, issuers }) => {
      await audit.append({ type: 'dev.plumbline.policy.loaded', data: { policy: sha256 } });
      try {
        if (authenticator === undefined)
          authenticator = createAuthenticator(issuers, { http, clock, log: wordsTo(log) });
        else authenticator.configure(issuers);
      } catch (error) {
        await rejected(['issuers']);
        throw error;
      }
      metrics.policyRead('loaded');
      log.info({ policy: sha256 }, 'the policy is in force');
      // It is when this has returned.
      setImmediate(() => changed());
    },
    onRejected: (problems) => rejected(problems.map(({ line, field }) => `${line}: ${field}`)),
  });
  closers.push(() => policyFile.close());
  if (authenticator === undefined) throw new TypeError('A policy came into force without its issuers');
  const verifier: Authenticator = authenticator;
  closers.push(() => verifier.close());
  return {
    policyFile,
    authenticator: verifier,
    onChange: (listener) => {
      changed = listener;
    },
  };
}

function wordsTo(log: Logger): { info(message: string): void; debug(message: string): void } {
  return {
    info: (message) => log.info({ room: 'auth' }, message),
    debug: (message) => log.debug({ room: 'auth' }, message),
  };
}

async function startRuns(
  { config, options, http, audit, store, metrics, closers }: Ground,
  launcher: Launcher,
  policyFile: PolicyFile,
  bundles: BundleStore,
): Promise<RunService> {
  const { log, clock } = options;
  const { runs: atOnce, queued } = config.limits;
  const folders = await CodeFolders.open(join(config.runsDirectory, 'code'));
  closers.push(sweepCode({ bundles, folders }, config.retention.bundlesMs, clock, log));
  const runs = await RunService.start({
    store,
    launcher,
    audit,
    policy: () => countedPolicy(policyFile.policy, metrics),
    code: codePreparer({ folders, bundles, isolation: launcher.isolation }),
    secrets: vaultReader(config, { http, clock, log }),
    limits: { runs: atOnce, queued },
    scheduler: openLuigid(config) ?? 'local',
    keepEndedMs: config.retention.runsMs,
    clock,
    log: (message, facts) => log.warn({ room: 'runs', ...facts }, message),
  });
  closers.push(() => runs.close());
  return runs;
}

function vaultReader(
  config: GatewayConfig,
  { http, clock, log }: { readonly http: Http; readonly clock: Clock; readonly log: Logger },
): SecretReader {
  // Nothing of the gateway prints a token: a Secret shows itself as asterisks.
  const identity = machineIdentity(config.identity, { http, clock, mask: () => {} });
  return vaultSecrets({ identity, http, clock, warn: (message) => log.warn({ room: 'secrets' }, message) });
}

const SWEEP_EVERY_MS = 3_600_000;

/** A run may go on for as long as this, and needs its unpacked code until its end. */
const LONGEST_RUN_MS = 31 * 86_400_000;

interface StoredCode {
  readonly bundles: BundleStore;
  readonly folders: CodeFolders;
}

function sweepCode({ bundles, folders }: StoredCode, keepMs: number, clock: Clock, log: Logger): Closer {
  const warn = (err: unknown) => log.warn({ err }, 'old code was not removed');
  const sweep = () => {
    bundles.removeUnused(clock.now() - keepMs).catch(warn);
    folders.removeUnused(clock.now() - Math.max(keepMs, LONGEST_RUN_MS)).catch(warn);
  };
  const timer = setInterval(sweep, SWEEP_EVERY_MS).unref();
  return () => clearInterval(timer);
}

function unavailable(authenticator: Authenticator): number {
  return authenticator.health().filter(({ keys }) => keys === 'unavailable').length;
}
