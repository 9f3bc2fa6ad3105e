import type { Launcher } from '../launch/launcher.ts';
import type { Worker } from '../workers/worker.ts';
import type { WorkerSource } from '../workers/worker-source.ts';
import { decideRun } from './admission.ts';
import type { RunAttempt } from './run-attempt.ts';

/** The attempts that go on, as workers: each may do what its run would be allowed if it were asked for now. */
export function runWorkers(
  attemptOf: (runId: string) => RunAttempt | undefined,
  launcher: Pick<Launcher, 'uidOf'>,
): WorkerSource {
  return {
    find(id) {
      const worker = attemptOf(id.slice(0, id.lastIndexOf('.')))?.worker;
      return worker?.id === id ? worker : undefined;
    },
    uidOf: ({ runId, attempt }) => launcher.uidOf(runId, attempt),
    decide({ runId, caller }: Worker, policy, now) {
      const attempt = attemptOf(runId);
      if (attempt === undefined) throw new TypeError('A worker is asked about whose run has ended');
      return decideRun(policy, caller, attempt.run.record.specification, now);
    },
  };
}
