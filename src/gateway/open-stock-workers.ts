import type { GatewayConfig } from './config/gateway-config.ts';
import type { GatewayGround } from './gateway-ground.ts';
import type { PolicyFile } from './policy/policy-file.ts';
import { StockWorkers } from './workers/stock-workers.ts';

/** Registered workers, where luigid is reached through this gateway. */
export async function openStockWorkers(
  { config, options, store, audit, closers }: GatewayGround,
  policyFile: PolicyFile,
): Promise<StockWorkers | undefined> {
  const { log, clock } = options;
  if (config.luigid?.proxied !== true) return undefined;
  const workers = await StockWorkers.open({
    store,
    audit,
    policy: () => policyFile.policy,
    keepEndedMs: config.retention.runsMs,
    clock,
    log: (message, facts) => log.warn({ room: 'workers', ...facts }, message),
  });
  closers.push(() => workers.close());
  return workers;
}

const ANY_ADDRESS: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

/** Where stock Luigi reaches luigid through this gateway, without a credential; `undefined`: it does not. */
export function luigidUrl({ luigid, publicUrl, listen, transport }: GatewayConfig): string | undefined {
  if (luigid?.proxied !== true) return undefined;
  if (publicUrl !== undefined) return `${publicUrl}/luigid`;
  const host = ANY_ADDRESS[listen.host] ?? listen.host;
  const scheme = transport.kind === 'tls' ? 'https' : 'http';
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${listen.port}/luigid`;
}
