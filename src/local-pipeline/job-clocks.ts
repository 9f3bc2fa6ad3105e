import { alarm } from './alarm.ts';
import type { JobContext } from './job-context.ts';
import type { JobSpec } from './pipeline-model.ts';
import type { RunContext } from './run-context.ts';

export interface JobClocks {
  readonly signals: Pick<JobContext, 'cancelled' | 'stopped'>;
  timedOut(): boolean;
  stop(): void;
}

/** A cancel of the run while the job runs, or the job's own time limit; after it a second limit for what still runs. */
export function jobClocks({ cancelled, stopped, clock }: RunContext, spec: JobSpec): JobClocks {
  const own = { cancel: new AbortController(), stop: new AbortController() };
  const callOff: (() => void)[] = [];
  let timedOut = false;
  const begin = () => {
    if (own.cancel.signal.aborted) return;
    callOff.push(alarm(clock, Math.max(spec.cancelTimeoutInMinutes, 1), () => own.stop.abort()));
    own.cancel.abort();
  };
  const expire = () => {
    timedOut = true;
    begin();
  };
  // A job that starts after the cancel (its condition held) is not cancelled by it.
  if (!cancelled.aborted) cancelled.addEventListener('abort', begin);
  callOff.push(alarm(clock, spec.timeoutInMinutes, expire));
  return {
    signals: { cancelled: own.cancel.signal, stopped: AbortSignal.any([own.stop.signal, stopped]) },
    timedOut: () => timedOut,
    stop: () => {
      cancelled.removeEventListener('abort', begin);
      for (const off of callOff) off();
    },
  };
}
