import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { LocalAzure } from '#local-azure/local-azure.ts';

const CLIENT = fileURLToPath(new URL('azure-client.mjs', import.meta.url));
const PLATFORM = `${process.platform}-${process.arch}`;
const NODE_20 = fileURLToPath(new URL(`../../node_modules/node20-${PLATFORM}/bin/node`, import.meta.url));

/** The Node versions that a task may meet: this one and 20. */
export const TASK_NODES: readonly { readonly name: string; readonly path: string }[] = [
  { name: `Node ${process.versions.node.split('.')[0]}`, path: process.execPath },
  ...(existsSync(NODE_20) ? [{ name: 'Node 20', path: NODE_20 }] : []),
];

export type Call = Readonly<Record<string, unknown>> & { readonly op: string };

export interface CallError {
  readonly name?: string;
  readonly status?: number;
  readonly code?: string;
  readonly inner?: string;
  readonly aadsts?: string;
  readonly message: string;
}

export interface CallResult {
  readonly ok?: unknown;
  readonly error?: CallError;
}

/** Makes these calls with the real SDKs in a process of its own, one after the other. */
export async function callAzure(
  azure: Pick<LocalAzure, 'proxyUrl' | 'caFile'>,
  calls: readonly Call[],
  options: { readonly node?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<CallResult[]> {
  const child = spawn(options.node ?? process.execPath, [CLIENT], {
    env: {
      PATH: process.env['PATH'] ?? '',
      HTTPS_PROXY: azure.proxyUrl,
      NODE_EXTRA_CA_CERTS: azure.caFile,
      NO_PROXY: '127.0.0.1',
      ...options.env,
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin.end(JSON.stringify(calls));
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  assert.notEqual(out, '', err);
  return JSON.parse(out) as CallResult[];
}

/** What a call that must have succeeded gave back. */
export function answered<T = Record<string, unknown>>(result: CallResult | undefined): T {
  assert.ok(result !== undefined && result.error === undefined, JSON.stringify(result?.error));
  return result.ok as T;
}
