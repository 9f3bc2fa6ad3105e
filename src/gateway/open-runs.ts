import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Clock } from '#core/clock.ts';
import type { Http } from '#http/http.ts';
import { machineIdentity } from '#identity/machine-identity.ts';
import { countedPolicy } from './app/counted-policy.ts';
import type { BundleStore } from './code/bundle-store.ts';
import { CodeFolders } from './code/code-folders.ts';
import { codePreparer } from './code/code-preparer.ts';
import type { GatewayConfig } from './config/gateway-config.ts';
import type { Closer, GatewayGround } from './gateway-ground.ts';
import type { Launcher } from './launch/launcher.ts';
import type { PolicyFile } from './policy/policy-file.ts';
import type { SecretReader } from './runs/run-collaborators.ts';
import { RunService } from './runs/run-service.ts';
import type { WorkerAccess } from './runs/worker-access.ts';
import { vaultSecrets } from './secrets/vault-secrets.ts';

/** The URL of a luigid that workers reach by themselves. */
function openLuigid({ luigid }: GatewayConfig): string | undefined {
  return luigid?.proxied === false && luigid.upstream.kind === 'url' ? luigid.upstream.url : undefined;
}

export interface RunsOptions {
  readonly launcher: Launcher;
  readonly policyFile: PolicyFile;
  readonly bundles: BundleStore;
  /** What workers may ask of this gateway; absent: nothing. */
  readonly access: WorkerAccess | undefined;
}

/** Takes up the runs of before. */
export async function openRuns(
  { config, options, http, audit, store, metrics, closers }: GatewayGround,
  { launcher, policyFile, bundles, access }: RunsOptions,
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
    access,
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
