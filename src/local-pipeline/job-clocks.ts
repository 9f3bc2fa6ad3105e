import type { JobContext } from './job-context.ts';
import type { JobSpec } from './pipeline-model.ts';
import type { RunContext } from './run-context.ts';

const MINUTE = 60_000;

export interface JobClocks {
  readonly signals: Pick<JobContext, 'cancelled' | 'stopped'>;
  timedOut(): boolean;
  stop(): void;
}

/** A cancel of the run while the job runs, or the job's own time limit; after it a second limit for what still runs. */
export function jobClocks({ cancelled, stopped }: RunContext, spec: JobSpec): JobClocks {
  const own = { cancel: new AbortController(), stop: new AbortController() };
  const timers: NodeJS.Timeout[] = [];
  let timedOut = false;
  const begin = () => {
    if (own.cancel.signal.aborted) return;
    timers.push(setTimeout(() => own.stop.abort(), Math.max(spec.cancelTimeoutInMinutes, 1) * MINUTE));
    own.cancel.abort();
  };
  const expire = () => {
    timedOut = true;
    begin();
  };
  // A job that starts after the cancel (its condition held) is not cancelled by it.
  if (!cancelled.aborted) cancelled.addEventListener('abort', begin);
  if (spec.timeoutInMinutes > 0) timers.push(setTimeout(expire, spec.timeoutInMinutes * MINUTE));
  return {
    signals: { cancelled: own.cancel.signal, stopped: AbortSignal.any([own.stop.signal, stopped]) },
    timedOut: () => timedOut,
    stop: () => {
      cancelled.removeEventListener('abort', begin);
      for (const timer of timers) clearTimeout(timer);
    },
  };
}
