import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { SourceProvenance } from '#core/provenance.ts';

const TIMEOUT_MS = 10_000;

/**
 * Whether files that git tracks in the checkout differ from its commit. `undefined` when nobody can say: no checkout, no
 * git, another owner of the folder, a work tree so large that git takes longer than 10 s, or the step is cancelled meanwhile.
 */
export async function isDirty({ checkout }: SourceProvenance, signal: AbortSignal): Promise<boolean | undefined> {
  if (checkout === undefined) return undefined;
  try {
    const args = ['-C', checkout, 'status', '--porcelain', '--untracked-files=no'];
    const env = { ...process.env, GIT_OPTIONAL_LOCKS: '0' };
    const { stdout } = await promisify(execFile)('git', args, { env, timeout: TIMEOUT_MS, signal });
    return stdout.trim() !== '';
  } catch {
    // Not a failure of the run: the lineage then does not claim to know.
    return undefined;
  }
}
