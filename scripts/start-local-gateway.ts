import type { ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parse } from 'yaml';
import type { AzureDeclaration } from '#local-azure/declaration.ts';
import { type LocalAzure, startLocalAzure } from '#local-azure/local-azure.ts';
import { type Isolation, isolationHere, isolationOf } from './gateway-isolation.ts';
import { endGateway, machineIdentity, serveGateway } from './gateway-process.ts';
import { type GatewayFiles, writeGatewayFiles } from './local-gateway-files.ts';
import { ROOT } from './repository.ts';
import { freePort, type RunningLuigid, startLuigid, startLuigidOnSocket } from './start-luigid.ts';

const EXAMPLE = resolve(ROOT, 'examples/gateway');

export interface LocalGatewayOptions {
  /** Everything is written below it; what an earlier start left there is removed. */
  readonly folder: string;
  /** A Python with Luigi. */
  readonly python: string;
  /** What Node runs: the built program, or its source. */
  readonly program: string;
  /** The policy in the place of the example's; the gateway's own changes to it (paths, user) are made all the same. */
  readonly policy?: string | undefined;
  readonly azure?: AzureDeclaration | undefined;
  /** `none`: also where users could be switched. Default: what this machine can do. */
  readonly isolation?: 'none' | undefined;
  /** Further fields of gateway.yaml, by dotted name. */
  readonly settings?: Readonly<Record<string, unknown>> | undefined;
  /** `socket`: reached through the gateway only. `open`, the default: on loopback, and workers go there by themselves. */
  readonly luigid?: 'socket' | 'open' | undefined;
  /** Puts something between the gateway and an open luigid, or its way to Azure, and gives the address of that. */
  readonly between?: ((part: 'azure' | 'luigid', url: string) => Promise<string>) | undefined;
  /** Called when the folders are there and nothing has started. */
  readonly prepare?: ((files: GatewayFiles) => void) | undefined;
}

/** A gateway, the luigid beside it and its Azure, all on loopback. */
export interface LocalGateway {
  readonly url: string;
  readonly metricsUrl: string;
  readonly azure: LocalAzure;
  readonly luigid: RunningLuigid;
  readonly files: GatewayFiles;
  readonly isolation: Isolation;
  /** The process of the gateway that runs now. */
  process(): ChildProcess;
  /** Its log up to now, a JSON object a line. */
  log(): string;
  /** Ends the process; resolves with its exit status or the signal that ended it. */
  stop(signal?: NodeJS.Signals): Promise<number | string>;
  /** Starts it anew with the same files. Resolves when it answers; what it needs may still be away. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** @throws {Error} with the gateway's own words when it does not become ready; then nothing is left running. */
export async function startLocalGateway(options: LocalGatewayOptions): Promise<LocalGateway> {
  const running: (() => Promise<unknown>)[] = [];
  const close = async () => {
    for (const end of running.splice(0).toReversed()) await end();
  };
  try {
    return { ...(await startAll(options, running)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function startAll(
  options: LocalGatewayOptions,
  running: (() => Promise<unknown>)[],
): Promise<Omit<LocalGateway, 'close'>> {
  const { folder, python, program, between = async (_part, url) => url } = options;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  const isolation =
    options.isolation === 'none'
      ? isolationOf(undefined, 'it was asked for')
      : isolationHere({ python, program, folder });
  const [port, metricsPort] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${port}`;
  const azure = await startLocalAzure(
    reaching(url, options.azure ?? (parse(example('azure.yml')) as AzureDeclaration)),
  );
  running.push(() => azure.close());
  const socket = options.luigid === 'socket' ? luigidSocket(folder) : undefined;
  const luigid = await (socket === undefined
    ? startLuigid(folder, python)
    : startLuigidOnSocket(folder, python, socket));
  running.push(() => luigid.close());
  const files = writeGatewayFiles({
    folder,
    python,
    isolation,
    policy: options.policy ?? example('policy.yaml'),
    config: example('gateway.yaml'),
    settings: {
      'listen.port': port,
      'metrics.port': metricsPort,
      luigid: socket === undefined ? await between('luigid', luigid.url) : { socket },
      'issuer.url': url,
      'network.proxy.url': await between('azure', azure.proxyUrl),
      'network.caFile': azure.caFile,
      ...options.settings,
    },
  });
  options.prepare?.(files);
  const started = { url, files, program, environment: machineIdentity(azure) };
  let child = await serveGateway(started);
  const stop = (signal: NodeJS.Signals = 'SIGTERM') => endGateway(child, signal);
  running.push(() => stop());
  return {
    url,
    metricsUrl: `http://127.0.0.1:${metricsPort}`,
    azure,
    luigid,
    files,
    isolation,
    process: () => child,
    log: () => readFileSync(files.log, 'utf8'),
    stop,
    restart: async () => {
      child = await serveGateway(started, '/healthz');
    },
  };
}

/** Where luigid listens that has a socket and no port. */
export function luigidSocketOf(folder: string): string {
  return join(folder, 'luigid', 'luigid.sock');
}

/** In a folder that no other user may enter. */
function luigidSocket(folder: string): string {
  const path = luigidSocketOf(folder);
  mkdirSync(dirname(path), { mode: 0o700 });
  return path;
}

/** The declaration with this gateway behind its connections. */
function reaching(url: string, azure: AzureDeclaration): AzureDeclaration {
  const connections = azure.connections?.map((one) => (one.type === 'plumbline-gateway' ? { ...one, url } : one));
  return { ...azure, ...(connections && { connections }) };
}

function example(name: string): string {
  return readFileSync(join(EXAMPLE, name), 'utf8');
}
