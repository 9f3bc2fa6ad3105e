import type { Host } from '#core/host.ts';

type Memory = Host['memory'];

/** Under which the main handler remembers the key of a run elsewhere that it waits for. */
const WAITING = 'plumblineRemoteRun';
/** Set as soon as the agent asks the step to stop. */
const STOPPING = 'plumblineRemoteStop';

/**
 * What the post-job handler has to know when this process is killed. A run at a gateway or in Airflow goes on without
 * it, and may be meant to.
 */
export class RemoteRunMarks {
  readonly #memory: Memory;

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  /** From now on a step that is cancelled and cannot finish leaves a run that has to be stopped. */
  waiting(key: string, signal: AbortSignal): void {
    this.#memory.set(WAITING, key);
    const stopping = () => this.#memory.set(STOPPING, 'true');
    if (signal.aborted) stopping();
    else signal.addEventListener('abort', stopping, { once: true });
  }

  /** The run has ended, has been stopped, or is nobody's to wait for. */
  done(): void {
    this.#memory.set(WAITING, '');
  }

  /**
   * The key of the run that is to be stopped at the end of the job: of a step that was cancelled and killed before it could.
   * A step that was killed otherwise leaves its run alone, for the next attempt of the job to take over.
   */
  static toStop({ memory, variable }: Pick<Host, 'memory' | 'variable'>): string | undefined {
    const key = memory.get(WAITING);
    const wasCancelled =
      memory.get(STOPPING) !== undefined || variable('Agent.JobStatus')?.toLowerCase() === 'canceled';
    return wasCancelled && key ? key : undefined;
  }
}
