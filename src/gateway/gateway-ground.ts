import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Clock } from '#core/clock.ts';
import { createHttp, type Http } from '#http/http.ts';
import { countedAudit } from './app/counted-audit.ts';
import { GatewayMetrics } from './app/gateway-metrics.ts';
import { storedAuditIndex } from './audit/audit-index.ts';
import { loadAuditKeys } from './audit/audit-keys.ts';
import type { AuditLog } from './audit/audit-log.ts';
import { openAuditLog } from './audit/open-audit-log.ts';
import type { GatewayConfig } from './config/gateway-config.ts';
import { Store } from './store/store.ts';

export interface PartsOptions {
  readonly log: Logger;
  readonly clock: Clock;
  readonly workerPath: string;
}

export type Closer = () => Promise<void> | void;

/** What every room shares. */
export interface GatewayGround {
  readonly config: GatewayConfig;
  readonly options: PartsOptions;
  readonly http: Http;
  readonly audit: AuditLog;
  readonly store: Store;
  readonly metrics: GatewayMetrics;
  readonly closers: Closer[];
}

export function keysOf({ stateDirectory }: GatewayConfig): string {
  return join(stateDirectory, 'keys');
}

/** Store before audit: the audit's index lies in it. */
export async function openGround(
  config: GatewayConfig,
  options: PartsOptions,
  closers: Closer[],
): Promise<GatewayGround> {
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
