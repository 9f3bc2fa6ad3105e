import type { SeenRun } from '#azure-devops/pipeline-api.ts';
import { asPlumblineError, PlumblineError } from '#core/errors.ts';
import { isStoreUnavailable } from '../runs/run-context.ts';
import type { DispatchContext } from './dispatch-context.ts';
import { keptError, pipelineUnknown } from './dispatch-errors.ts';
import type { PipelineRunState } from './pipeline-run.ts';
import type { StoredPipelineRun } from './pipeline-run-row.ts';
import type { PipelineRunEnd } from './pipeline-run-store.ts';

/** Between two looks at a run: a fifteenth of its age, within these. */
const SHORTEST_MS = 2_000;
const LONGEST_MS = 30_000;
const LONGEST_BACK_OFF_MS = 300_000;
/** Of one request. */
const RUNS_AT_ONCE = 100;

interface Followed {
  readonly run: StoredPipelineRun;
  readonly azureRun: number;
  readonly since: number;
  nextAt: number;
  /** When it was last read; when it was queued at first. */
  seenAt: number;
  /** A problem of reading it stands in the store. */
  isTroubled: boolean;
  /** Since when Azure DevOps answers without it. */
  missingSince: number | undefined;
  state: PipelineRunState;
}

/** Follows the runs of one organization until none is left: one request at a time, for many runs each. */
export class PipelineRunFollower {
  readonly #context: DispatchContext;
  readonly #organization: string;
  readonly #onEnd: (id: string) => void;
  readonly #followed = new Map<string, Followed>();
  #working: Promise<void> | undefined;
  #wake = () => {};
  /** By project: what is wrong, and how often in a row. */
  readonly #troubles = new Map<string, { readonly message: string; readonly failures: number }>();

  /** @param onEnd its end is stored; what is left is the record of it */
  constructor(context: DispatchContext, organization: string, onEnd: (id: string) => void) {
    this.#context = context;
    this.#organization = organization;
    this.#onEnd = onEnd;
  }

  /** Why nothing can be read at the moment. */
  get problem(): string | undefined {
    const [trouble] = this.#followed.size === 0 ? [] : this.#troubles.values();
    return trouble?.message;
  }

  follow(run: StoredPipelineRun): void {
    const { id, queuedAt = run.record.createdAt, state } = run.record;
    const now = this.#context.clock.now();
    const azureRun = run.azureRun as number;
    const seen = { nextAt: now, seenAt: now, isTroubled: run.record.problem !== undefined, missingSince: undefined };
    const followed = { run, azureRun, since: queuedAt, state, ...seen };
    if (!this.#followed.has(id)) this.#followed.set(id, followed);
    this.#wake();
    this.#working ??= this.#work().finally(() => {
      this.#working = undefined;
    });
  }

  async settled(): Promise<void> {
    await this.#working;
  }

  async #work(): Promise<void> {
    const { clock, closing } = this.#context;
    while (this.#followed.size > 0 && !closing.aborted) {
      const now = clock.now();
      const due = [...this.#followed.values()].filter(({ nextAt }) => nextAt <= now);
      for (const group of groupsOf(due)) if (!closing.aborted) await this.#look(group);
      const next = Math.min(...[...this.#followed.values()].map(({ nextAt }) => nextAt));
      if (Number.isFinite(next)) await this.#rest(Math.max(0, next - clock.now()));
    }
  }

  /** Until then, or until there is one more. */
  async #rest(ms: number): Promise<void> {
    const woken = new AbortController();
    this.#wake = () => woken.abort();
    const { clock, closing } = this.#context;
    await clock.sleep(ms, AbortSignal.any([woken.signal, closing])).catch(() => undefined);
    this.#wake = () => {};
  }

  async #look(group: readonly Followed[]): Promise<void> {
    const { connect, closing, clock } = this.#context;
    const project = group[0]?.run.record.project ?? '';
    try {
      const api = connect(this.#organization, project)?.api;
      if (api === undefined)
        throw new PlumblineError('ERR_CONFIG_INVALID', 'the configuration has no such organization');
      const { runs, pauseMs = 0 } = await api.runs(
        project,
        group.map(({ azureRun }) => azureRun),
        closing,
      );
      const seen = new Map(runs.map((run) => [run.id, run]));
      for (const followed of group) await this.#saw(followed, seen.get(followed.azureRun));
      this.#troubles.delete(project);
      for (const followed of group) followed.nextAt = clock.now() + Math.max(pauseMs, this.#pauseOf(followed));
    } catch (thrown) {
      if (closing.aborted) return;
      await this.#failed(group, thrown);
    }
  }

  async #saw(followed: Followed, seen: SeenRun | undefined): Promise<void> {
    const { clock, runs, times } = this.#context;
    const { id } = followed.run.record;
    const now = clock.now();
    followed.seenAt = now;
    if (seen === undefined) {
      followed.missingSince ??= now;
      if (now - followed.missingSince >= times.goneMs)
        await this.#unknown(followed, 'Azure DevOps does not know the run any more');
      return;
    }
    followed.missingSince = undefined;
    if (followed.isTroubled) await this.#tell(followed, null);
    const state = stateOf(seen);
    if (state === 'queued') return;
    const startedAt = seen.startedAt ?? now;
    if (state !== 'running') {
      const error =
        state === 'unknown' ? this.#errorOf(followed, `it ended with '${seen.result.slice(0, 40)}'`) : undefined;
      await this.#end(followed, { state, endedAt: seen.endedAt ?? now, startedAt: seen.startedAt, error });
    } else if (followed.state === 'queued') {
      await runs.running(id, seen.name, now, startedAt);
      followed.state = 'running';
      this.#context.watchers.changed(id);
    }
  }

  async #failed(group: readonly Followed[], thrown: unknown): Promise<void> {
    const { clock, times, log } = this.#context;
    const { message, details } = asPlumblineError(thrown);
    const project = group[0]?.run.record.project ?? '';
    const asked = Number(details['retryAfterMs'] ?? 0);
    const failures = this.#troubles.get(project)?.failures ?? 0;
    const backOff = Math.min(SHORTEST_MS * 2 ** failures, LONGEST_BACK_OFF_MS);
    if (failures === 0)
      log('Pipeline runs cannot be read', { organization: this.#organization, project, why: message });
    this.#troubles.set(project, { message, failures: failures + 1 });
    const now = clock.now();
    for (const followed of group) {
      followed.nextAt = now + Math.max(asked, Math.round(backOff * (0.5 + Math.random() / 2)));
      if (isStoreUnavailable(thrown)) continue;
      if (now - followed.seenAt >= times.giveUpMs) await this.#unknown(followed, message).catch(() => undefined);
      else await this.#tell(followed, `its state cannot be read: ${message}`).catch(() => undefined);
    }
  }

  async #tell(followed: Followed, problem: string | null): Promise<void> {
    await this.#context.runs.problem(followed.run.record.id, problem);
    followed.isTroubled = problem !== null;
  }

  #unknown(followed: Followed, why: string): Promise<void> {
    const endedAt = this.#context.clock.now();
    return this.#end(followed, { state: 'unknown', endedAt, error: this.#errorOf(followed, why) });
  }

  #errorOf({ run, since }: Followed, why: string): PipelineRunEnd['error'] {
    return keptError(pipelineUnknown(run.record, `${why} (run ${run.azureRun})`, since));
  }

  async #end(followed: Followed, end: PipelineRunEnd): Promise<void> {
    const { id } = followed.run.record;
    await this.#context.runs.end(id, end);
    if (end.state === 'unknown') this.#context.counted('unknown');
    this.#followed.delete(id);
    this.#context.watchers.changed(id);
    this.#onEnd(id);
  }

  #pauseOf({ since }: Followed): number {
    const age = this.#context.clock.now() - since;
    const pause = Math.min(LONGEST_MS, Math.max(SHORTEST_MS, age / 15));
    return Math.round(pause * (0.9 + Math.random() / 5));
  }
}

/** https://learn.microsoft.com/rest/api/azure/devops/build/builds/get: BuildStatus and BuildResult. */
export function stateOf({ status, result }: Pick<SeenRun, 'status' | 'result'>): PipelineRunState {
  if (status === 'completed') return RESULTS[result] ?? 'unknown';
  return ['none', 'notStarted', 'postponed', ''].includes(status) ? 'queued' : 'running';
}

const RESULTS: Readonly<Record<string, PipelineRunState>> = {
  succeeded: 'succeeded',
  partiallySucceeded: 'partiallySucceeded',
  failed: 'failed',
  canceled: 'cancelled',
};

/** By project, as many as one request takes. */
function groupsOf(due: readonly Followed[]): readonly (readonly Followed[])[] {
  const projects = new Map<string, Followed[]>();
  for (const one of due) {
    const project = one.run.record.project;
    projects.set(project, [...(projects.get(project) ?? []), one]);
  }
  return [...projects.values()].flatMap((all) =>
    Array.from({ length: Math.ceil(all.length / RUNS_AT_ONCE) }, (_, i) =>
      all.slice(i * RUNS_AT_ONCE, (i + 1) * RUNS_AT_ONCE),
    ),
  );
}
