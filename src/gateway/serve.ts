import { mkdirSync, readFileSync, statSync, unwatchFile, watchFile } from 'node:fs';
import type { AddressInfo } from 'node:net';
import type { Server as TlsServer } from 'node:tls';
import type { Logger } from 'pino';
import { type Clock, systemClock } from '#core/clock.ts';
import { PlumblineError } from '#core/errors.ts';
import { PRODUCT_VERSION } from '#core/product-version.ts';
import { type GatewayApp, gatewayApp } from './app/gateway-app.ts';
import { gatewayLog, type LogTarget } from './app/gateway-log.ts';
import { listening } from './app/listening.ts';
import { type MetricsListener, startMetricsListener } from './app/metrics-listener.ts';
import type { GatewayConfig } from './config/gateway-config.ts';
import { loadGatewayConfig } from './config/load-gateway-config.ts';
import { type GatewayParts, openParts } from './gateway-parts.ts';

export interface ServeOptions {
  /** Folder of the Python package plumbline_luigi. */
  readonly workerPath: string;
  /** Where the log goes; standard output unless it is said otherwise. */
  readonly log?: LogTarget | undefined;
  readonly clock?: Clock | undefined;
}

/** A gateway that answers. */
export interface RunningGateway {
  readonly config: GatewayConfig;
  /** Of the listener. */
  readonly url: string;
  readonly metricsUrl?: string | undefined;
  /**
   * Accepts nothing more, finishes what runs, ends event streams so that they can be resumed, and closes audit and store.
   * Workers go on. Takes no longer than the configuration's `timeouts.shutdown`; the second call waits for the first.
   */
  stop(): Promise<void>;
}

/**
 * The gateway, from its configuration file to its listener. Whatever is missing is an error before anything listens: first
 * the file with all its problems, then rights, keys, audit, store and policy; last the runs of before are taken up.
 *
 * @throws {PlumblineError} `ERR_CONFIG_INVALID`, `ERR_ISOLATION_UNAVAILABLE`, `ERR_FILE_UNREADABLE`, `ERR_AUDIT_…`, `ERR_STORE_…`,
 *   `ERR_POLICY_INVALID`, `ERR_ISSUER_INVALID`
 */
export async function serveGateway(configFile: string, options: ServeOptions): Promise<RunningGateway> {
  const config = loadGatewayConfig(configFile);
  const log = gatewayLog(config.logging, options.log);
  const clock = options.clock ?? systemClock;
  makeStateDirectory(config.stateDirectory);
  const parts = await openParts(config, { log, clock, workerPath: options.workerPath });
  try {
    return await listen(config, parts, log);
  } catch (error) {
    await parts.close();
    throw error;
  }
}

async function listen(config: GatewayConfig, parts: GatewayParts, log: Logger): Promise<RunningGateway> {
  const api = await gatewayApp(parts.services, {
    log,
    limits: config.limits,
    timeouts: config.timeouts,
    publicUrl: config.publicUrl,
    certificate: certificateOf(config),
    front: parts.front,
    trustedProxies: config.transport.kind === 'behindProxy' ? config.transport.trustedProxies : undefined,
  });
  let metrics: MetricsListener | undefined;
  try {
    if (config.metrics) metrics = await startMetricsListener(config.metrics, parts.services.metrics.registry);
    await parts.audited('dev.plumbline.gateway.started', { version: PRODUCT_VERSION, isolation: parts.isolation });
    parts.sockets?.serve(api.forWorkersOf);
    await listening(api.app.server, config.listen, ['listen', 'port']);
  } catch (error) {
    await Promise.allSettled([metrics?.close(), parts.sockets?.close(), api.app.close()]);
    throw error;
  }
  const forget = renewCertificate(config, api, log);
  const url = urlOf(config, api);
  parts.listensAt(url);
  log.info({ url, metrics: metrics?.url, isolation: parts.isolation, version: PRODUCT_VERSION }, 'the gateway listens');
  let stopping: Promise<void> | undefined;
  return {
    config,
    url,
    metricsUrl: metrics?.url,
    stop: () => {
      forget();
      stopping ??= stop(config, parts, { api, metrics, log });
      return stopping;
    },
  };
}

interface Listeners {
  readonly api: GatewayApp;
  readonly metrics: MetricsListener | undefined;
  readonly log: Logger;
}

/** What the last steps need of the time to stop. */
const LAST_STEPS_MS = 1_000;

async function stop(
  { timeouts: { shutdownMs } }: GatewayConfig,
  parts: GatewayParts,
  { api, metrics, log }: Listeners,
): Promise<void> {
  log.info('the gateway stops');
  parts.readiness.stopping = true;
  api.endStreams();
  const { server } = api.app;
  const cutAll = () => {
    server.closeAllConnections();
    parts.sockets?.cut();
  };
  const cut = setTimeout(cutAll, Math.max(0, shutdownMs - LAST_STEPS_MS));
  await Promise.all([api.app.close(), parts.sockets?.close()]);
  clearTimeout(cut);
  await parts.audited('dev.plumbline.gateway.stopped', { version: PRODUCT_VERSION }).catch(() => undefined);
  await parts.close();
  await metrics?.close();
  log.info('the gateway has stopped; workers go on');
}

/** Made for the gateway alone; one that others may look into is refused, not mended: nobody knows what they saw. */
function makeStateDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const { mode, uid } = statSync(directory);
    const why =
      uid !== process.geteuid?.()
        ? 'it belongs to another user'
        : (mode & 0o077) !== 0
          ? 'others may use it'
          : undefined;
    if (why !== undefined) throw new Error(why);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new PlumblineError('ERR_CONFIG_INVALID', `Cannot use the state directory ${directory}: ${why}`, {
      cause,
      remedy: 'Give it to the user of the gateway, with mode 0700.',
      details: { field: 'stateDirectory' },
    });
  }
}

function certificateOf({ transport }: GatewayConfig): { cert: string; key: string } | undefined {
  if (transport.kind !== 'tls') return undefined;
  return { cert: readFileSync(transport.certFile, 'utf8'), key: readFileSync(transport.keyFile, 'utf8') };
}

const CERTIFICATE_EVERY_MS = 60_000;

/** A certificate that was renewed serves the next connections; one that cannot be used changes nothing. */
function renewCertificate(config: GatewayConfig, { app }: GatewayApp, log: Logger): () => void {
  const { transport } = config;
  if (transport.kind !== 'tls') return () => {};
  const renew = () => {
    try {
      const certificate = certificateOf(config);
      if (certificate) (app.server as unknown as TlsServer).setSecureContext({ ...certificate, minVersion: 'TLSv1.2' });
      log.info('the certificate was read again');
    } catch (error) {
      log.error({ err: error }, 'the certificate cannot be read; the old one stays');
    }
  };
  watchFile(transport.certFile, { interval: CERTIFICATE_EVERY_MS, persistent: false }, renew);
  return () => unwatchFile(transport.certFile, renew);
}

function urlOf({ transport }: GatewayConfig, { app }: GatewayApp): string {
  const { address, port, family } = app.server.address() as AddressInfo;
  return `${transport.kind === 'tls' ? 'https' : 'http'}://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}
