import { type BigIntStats, constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { Clock } from '#core/clock.ts';
import type { FileProblem } from '../config/yaml-source.ts';
import { MAX_POLICY_BYTES, type ParsedPolicy, parsePolicy, wholeFile } from './parse-policy.ts';
import { exampleProblems } from './test-policy.ts';

const WORLD_WRITABLE = 0o002n;
const SETTLE_ATTEMPTS = 40;

/** The file's bytes while nobody writes it, or why it cannot be used; `key` as of {@link policyFileKey}. */
export type PolicyBytes =
  | { readonly key: string; readonly bytes: Uint8Array; readonly problem?: undefined }
  | { readonly key: string; readonly bytes?: undefined; readonly problem: FileProblem };

/**
 * Reads the file when it has stood still for `settleMs`: an editor that writes in place leaves, for a moment, a file that
 * may be a whole policy without its last rules. Symbolic links are followed to the end, as Kubernetes mounts need it.
 */
export async function readPolicyFile(
  path: string,
  clock: Clock,
  settleMs: number,
  signal?: AbortSignal,
): Promise<PolicyBytes> {
  let last = await readOnce(path);
  for (let attempt = 1; attempt < SETTLE_ATTEMPTS; attempt += 1) {
    await clock.sleep(settleMs, signal);
    const next = await readOnce(path);
    if (last.key === next.key) return next;
    last = next;
  }
  return { key: last.key, problem: wholeFile(path, 'is written all the time') };
}

/** What `path` names at the moment, as a text that changes whenever somebody touches it. */
export async function policyFileKey(path: string): Promise<string> {
  try {
    return await withFile(path, async (_, stats) => keyOf(stats));
  } catch (error) {
    return codeOf(error);
  }
}

/** The policy of a file's bytes, when every example comes out as it says. */
export function policyOf(bytes: Uint8Array, path: string): ParsedPolicy {
  const parsed = parsePolicy(bytes, path);
  if (parsed.policy === undefined) return parsed;
  const problems = exampleProblems(parsed.policy);
  return problems.length > 0 ? { problems } : parsed;
}

async function readOnce(path: string): Promise<PolicyBytes> {
  try {
    return await withFile(path, async (file, stats) => {
      const why = unusable(stats);
      if (why !== undefined) return { key: keyOf(stats), problem: wholeFile(path, why) };
      const bytes = await readAll(file);
      const after = await file.stat({ bigint: true });
      // What was written while it was read is another file than the one before.
      const key = keyOf(after) === keyOf(stats) ? keyOf(stats) : `${keyOf(stats)} changed ${keyOf(after)}`;
      return { key, bytes };
    });
  } catch (error) {
    const code = codeOf(error);
    return { key: code, problem: wholeFile(path, `cannot be read (${code})`) };
  }
}

async function withFile<T>(path: string, use: (file: FileHandle, stats: BigIntStats) => Promise<T>): Promise<T> {
  // Without O_NONBLOCK a pipe at this place would keep the gateway waiting.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    return await use(file, await file.stat({ bigint: true }));
  } finally {
    await file.close();
  }
}

/** One byte more than a policy may have is enough to refuse it. */
async function readAll(file: FileHandle): Promise<Uint8Array> {
  const buffer = Buffer.alloc(MAX_POLICY_BYTES + 1);
  let length = 0;
  while (length < buffer.length) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length, length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return buffer.subarray(0, length);
}

function unusable(stats: BigIntStats): string | undefined {
  if (!stats.isFile()) return 'is no regular file';
  return (stats.mode & WORLD_WRITABLE) === 0n ? undefined : 'may be written by everybody on this machine (chmod o-w)';
}

function keyOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
}

function codeOf(error: unknown): string {
  return String((error as NodeJS.ErrnoException).code ?? 'unknown');
}
