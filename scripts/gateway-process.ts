import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import type { LocalAzure } from '#local-azure/local-azure.ts';
import type { GatewayFiles } from './local-gateway-files.ts';

const STARTS_WITHIN_MS = 30_000;

/** What App Service gives to a process on a machine with an identity of its own. */
export function machineIdentity({ managedIdentity }: LocalAzure): Record<string, string> {
  if (managedIdentity === undefined) return {};
  return { IDENTITY_ENDPOINT: managedIdentity.endpoint, IDENTITY_HEADER: managedIdentity.header };
}

export interface GatewayProcess {
  readonly url: string;
  readonly files: Pick<GatewayFiles, 'folder' | 'config' | 'log'>;
  /** What Node runs: the built program, or its source. */
  readonly program: string;
  readonly environment: Readonly<Record<string, string>>;
}

/** Starts it. Resolves when it says that it is ready. @throws {Error} with its own words when it does not become so */
export async function serveGateway(
  { url, files, program, environment }: GatewayProcess,
  says: '/readyz' | '/healthz' = '/readyz',
): Promise<ChildProcess> {
  const log = openSync(files.log, 'a', 0o600);
  const flags = program.endsWith('.ts') ? ['--disable-warning=ExperimentalWarning'] : [];
  const child = spawn(process.execPath, [...flags, program, 'gateway', 'serve', '--config', files.config], {
    cwd: files.folder,
    env: { PATH: process.env['PATH'], HOME: files.folder, LANG: 'C.UTF-8', ...environment },
    stdio: ['ignore', log, log],
    // Ctrl-C in a terminal reaches the whole group: who started the gateway decides when it ends.
    detached: true,
  });
  closeSync(log);
  await untilOk(`${url}${says}`, child, files);
  return child;
}

async function untilOk(url: string, child: ChildProcess, files: GatewayProcess['files']): Promise<void> {
  const until = Date.now() + STARTS_WITHIN_MS;
  while (child.exitCode === null && child.signalCode === null && Date.now() < until) {
    if (await isOk(url)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  child.kill('SIGKILL');
  throw new Error(`The gateway did not become ready.\n${readFileSync(files.log, 'utf8')}`);
}

async function isOk(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(2_000) })).ok;
  } catch {
    return false;
  }
}

/** Resolves with its exit status or the signal that ended it. */
export async function endGateway(child: ChildProcess, signal: NodeJS.Signals): Promise<number | string> {
  if (child.exitCode === null && child.signalCode === null) {
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }
  return child.exitCode ?? child.signalCode ?? 1;
}
