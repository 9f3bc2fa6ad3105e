import type { LoadedPolicy } from '#gateway/policy/loaded-policy.ts';
import type { Terminal } from './terminal.ts';

/**
 * A policy file for a question about it.
 *
 * @throws {PlumblineError} `ERR_FILE_UNREADABLE`, `ERR_POLICY_INVALID`
 */
export async function loadPolicy(file: string, terminal: Terminal): Promise<LoadedPolicy> {
  const { parsePolicy, policyError } = await import('#gateway/policy/parse-policy.ts');
  const { policy, problems } = parsePolicy(terminal.read(file), file);
  if (policy === undefined) throw policyError(file, problems);
  return policy;
}
