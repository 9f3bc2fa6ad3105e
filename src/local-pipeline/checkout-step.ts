import { existsSync } from 'node:fs';
import path from 'node:path';
import type { StepExecution } from './step-execution.ts';

/** `checkout: self`: the work tree that holds the pipeline file, as it is, so that git still sees what is not committed. */
export async function checkoutStep({ job, log }: StepExecution): Promise<void> {
  const { root, commit, branch } = job.run.source;
  log.line(`Using the work tree ${root} as it is.`);
  if (commit) log.line(`It is at ${commit} (${branch}).`);
  else if (existsSync(path.join(root, '.git'))) log.line('The repository has no commit yet.');
  else log.line('It is no git repository.');
}
