import type { PlumblineError } from '#core/errors.ts';
import type {
  AirflowApi,
  AirflowAssetEvent,
  AirflowDag,
  AirflowHealth,
  AirflowRun,
  AirflowTask,
  AirflowTaskInstance,
  LogPiece,
  RunName,
} from '#engines/airflow/airflow-api.ts';
import type { VirtualClock } from '../virtual-clock.ts';

/** What is so from a moment on. */
export interface Moment {
  /** Milliseconds since the clock's beginning. */
  readonly at: number;
  /** `undefined`: there is no such run. */
  readonly state?: string | undefined;
  readonly note?: string | undefined;
  readonly tasks?: readonly AirflowTaskInstance[] | undefined;
  /** What every request ends in. */
  readonly fails?: PlumblineError | undefined;
  /** What reading task instances ends in. */
  readonly tasksFail?: PlumblineError | undefined;
}

export interface TimedAirflowOptions {
  readonly clock: VirtualClock;
  readonly moments: readonly Moment[];
  readonly wait?: boolean | undefined;
  /** The wait endpoint says nothing. */
  readonly isMute?: boolean | undefined;
  /** The wait endpoint ends after so many words. */
  readonly cutAfter?: number | undefined;
  readonly tasks?: readonly AirflowTask[] | undefined;
  readonly dag?: Partial<AirflowDag> | undefined;
  readonly health?: AirflowHealth | undefined;
  readonly logs?: Readonly<Record<string, readonly string[]>> | undefined;
  readonly assets?: readonly AirflowAssetEvent[] | undefined;
  /** Milliseconds that every answer takes. @default 20 */
  readonly latencyMs?: number | undefined;
}

export function instance(taskId: string, more: Partial<AirflowTaskInstance> = {}): AirflowTaskInstance {
  return {
    taskId,
    mapIndex: -1,
    label: undefined,
    state: undefined,
    tryNumber: 0,
    startedAt: undefined,
    endedAt: undefined,
    ...more,
  };
}

/** A server whose runs change at given times of a virtual clock: for what takes ten minutes, or what no real one does on request. */
export class TimedAirflow implements AirflowApi {
  readonly url = 'https://airflow.example';
  readonly api = 'v2';
  readonly version = '3.3.2';
  readonly features: AirflowApi['features'];
  /** The method's name for each request. */
  readonly asked: { readonly what: string; readonly at: number }[] = [];
  /** Set by requests that write. */
  #state: string | undefined;
  #note: string | undefined;
  readonly #options: TimedAirflowOptions;

  constructor(options: TimedAirflowOptions) {
    this.#options = options;
    this.features = { wait: options.wait ?? false, dagVersions: true };
  }

  count(...what: readonly string[]): number {
    return this.asked.filter((request) => what.includes(request.what)).length;
  }

  async #answer<Answer>(what: string, signal: AbortSignal, read: (now: Moment) => Answer): Promise<Answer> {
    const { clock, latencyMs = 20 } = this.#options;
    this.asked.push({ what, at: clock.passed });
    await clock.sleep(latencyMs, signal);
    const now = this.#now();
    if (now.fails) throw now.fails;
    return read(now);
  }

  #now(): Moment {
    const { clock, moments } = this.#options;
    const now = moments.findLast(({ at }) => at <= clock.passed) ?? { at: 0 };
    return { ...now, state: now.state && (this.#state ?? now.state), note: this.#note ?? now.note };
  }

  #run(name: RunName, { state, note }: Moment): AirflowRun | undefined {
    if (state === undefined) return undefined;
    const ended = state === 'success' || state === 'failed';
    return {
      ...name,
      state,
      note,
      conf: {},
      logicalDate: undefined,
      runAfter: undefined,
      queuedAt: 1,
      startedAt: state === 'queued' || (this.#state === 'failed' && !this.#hasRun()) ? undefined : 2,
      endedAt: ended ? 3 : undefined,
      bundleVersion: undefined,
    };
  }

  #hasRun(): boolean {
    const { clock, moments } = this.#options;
    return moments.some(({ at, state }) => at <= clock.passed && state !== undefined && state !== 'queued');
  }

  run(dagId: string, runId: string, signal: AbortSignal) {
    return this.#answer('run', signal, (now) => this.#run({ dagId, runId }, now));
  }

  runs(wanted: readonly RunName[], signal: AbortSignal) {
    return this.#answer('runs', signal, (now) => wanted.flatMap((name) => this.#run(name, now) ?? []));
  }

  async *wait(_: RunName, intervalSeconds: number, signal: AbortSignal): AsyncGenerator<string> {
    const { clock, isMute, cutAfter = Number.POSITIVE_INFINITY } = this.#options;
    for (let words = 0; words < cutAfter; words += 1) {
      const { state } = words === 0 ? await this.#answer('wait', signal, (now) => now) : this.#now();
      const { fails } = this.#now();
      if (fails) throw fails;
      if (state === undefined) return;
      if (!isMute) yield state;
      if (state === 'success' || state === 'failed') return;
      await clock.sleep(intervalSeconds * 1_000, signal);
    }
  }

  taskInstances(_: RunName, { signal }: { readonly signal: AbortSignal }) {
    return this.#answer('taskInstances', signal, ({ tasks = [], tasksFail }) => {
      if (tasksFail) throw tasksFail;
      return tasks;
    });
  }

  tasks(_: string, signal: AbortSignal) {
    return this.#answer('tasks', signal, () => this.#options.tasks ?? []);
  }

  setNote(_: RunName, note: string, signal: AbortSignal) {
    return this.#answer('setNote', signal, () => {
      this.#note = note;
    });
  }

  setState(name: RunName, state: 'failed', signal: AbortSignal) {
    return this.#answer('setState', signal, (now) => {
      this.#state = state;
      return this.#run(name, { ...now, state }) as AirflowRun;
    });
  }

  dag(dagId: string, signal: AbortSignal) {
    return this.#answer('dag', signal, (): AirflowDag => {
      return {
        dagId,
        isPaused: false,
        isStale: false,
        hasImportErrors: false,
        maxActiveRuns: 16,
        fileLocation: undefined,
        params: new Map(),
        bundleName: undefined,
        bundleVersion: undefined,
        ...this.#options.dag,
      };
    });
  }

  runningRuns(_: string, signal: AbortSignal) {
    return this.#answer('runningRuns', signal, () => 1);
  }

  health(signal: AbortSignal) {
    return this.#answer('health', signal, () => this.#options.health);
  }

  log(
    _: RunName,
    { taskId, tryNumber }: { readonly taskId: string; readonly tryNumber: number },
    signal: AbortSignal,
  ): Promise<LogPiece | undefined> {
    return this.#answer('log', signal, () => {
      const lines = this.#options.logs?.[`${taskId}#${tryNumber}`];
      return lines && { lines, next: undefined };
    });
  }

  assetEvents(_: RunName, signal: AbortSignal) {
    return this.#answer('assetEvents', signal, () => this.#options.assets ?? []);
  }

  importErrors(): never {
    throw new TypeError('following a run asks for no import errors');
  }

  setPaused(): never {
    throw new TypeError('following a run pauses nothing');
  }

  trigger(): never {
    throw new TypeError('following a run starts none');
  }

  clear(): never {
    throw new TypeError('following a run clears nothing');
  }

  xcom(): never {
    throw new TypeError('following a run reads no values');
  }
}
