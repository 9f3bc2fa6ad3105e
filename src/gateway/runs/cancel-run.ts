import type { CancelReason } from '#engines/engine.ts';
import { endRun } from './end-run.ts';
import { stoppedBeforeStart } from './own-outcomes.ts';
import { persistently, type RunContext } from './run-context.ts';
import type { StoredRun } from './run-row.ts';
import type { RunScheduler } from './run-scheduler.ts';

/**
 * Ends a run that waits, or stops the worker of one that goes on.
 *
 * @returns `stopped` when it has ended, `requested` when it is still winding down after `waitMs`
 */
export async function cancelRun(
  context: RunContext,
  scheduler: RunScheduler,
  run: StoredRun,
  reason: CancelReason,
  waitMs: number,
): Promise<'stopped' | 'requested'> {
  const { id } = run.record;
  // At once: the store may keep what follows waiting.
  scheduler.attemptOf(id)?.disown(reason);
  const outcome = stoppedBeforeStart({ record: run.record, endedAt: context.clock.now() }, reason);
  if (await endRun(context, id, outcome, 'waiting')) {
    scheduler.close(id);
    return 'stopped';
  }
  // No longer waiting: its worker is about to start, or goes on.
  const attempt = scheduler.attemptOf(id);
  if (!attempt) {
    await persistently(context, () => context.runs.requestStop(id, reason));
    return 'requested';
  }
  void attempt.stop(reason);
  const patience = new AbortController();
  const waited = context.clock.sleep(waitMs, patience.signal).catch(() => undefined);
  const over = await Promise.race([attempt.over, waited]);
  patience.abort();
  return over === 'ended' ? 'stopped' : 'requested';
}
