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
/** Nobody silences the gateway for longer, whatever `Retry-After` says: the end of a run would be seen days later. */
const LONGEST_BACK_OFF_MS = 300_000;
/** When this part of its pause is over, a run is read together with others. */
const TOGETHER = 0.6;
/** Of one request. */
const RUNS_AT_ONCE = 100;
/** Since a day ago is not for a day: a machine that slept has not asked. */
const LEAST_FAILURES = 10;

interface Followed {
  readonly run: StoredPipelineRun;
  readonly azureRun: number;
  readonly since: number;
  nextAt: number;
  /** From then on it is read together with others that are due. */
  soonAt: number;
  /** In a row. */
  failures: number;
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
  /** By project: what is wrong. */
  readonly #troubles = new Map<string, string>();
  /** So many in one request: fewer after an answer that was too large or could not be read. */
  #atOnce = RUNS_AT_ONCE;

  /** @param onEnd its end is stored; what is left is the record of it */
  constructor(context: DispatchContext, organization: string, onEnd: (id: string) => void) {
    this.#context = context;
    this.#organization = organization;
    this.#onEnd = onEnd;
  }

  /** Why nothing can be read at the moment. */
  get problem(): string | undefined {
    const [trouble] = this.#followed.size === 0 ? [] : this.#troubles.values();
    return trouble;
  }

  follow(run: StoredPipelineRun): void {
    const { id, queuedAt = run.record.createdAt, state } = run.record;
    const now = this.#context.clock.now();
    const azureRun = run.azureRun as number;
    const seen = { nextAt: now, soonAt: now, failures: 0, seenAt: now, missingSince: undefined };
    const isTroubled = run.record.problem !== undefined;
    const followed = { run, azureRun, since: queuedAt, state, ...seen, isTroubled };
    if (!this.#followed.has(id)) this.#followed.set(id, followed);
    this.#wake();
    this.#working ??= this.#work();
  }

  async settled(): Promise<void> {
    await this.#working;
  }

  async #work(): Promise<void> {
    const { clock, closing } = this.#context;
    while (this.#followed.size > 0 && !closing.aborted) {
      for (const group of groupsOf(this.#due(), this.#atOnce)) if (!closing.aborted) await this.#look(group);
      let next = Number.POSITIVE_INFINITY;
      for (const { nextAt } of this.#followed.values()) next = Math.min(next, nextAt);
      if (Number.isFinite(next)) await this.#rest(Math.min(Math.max(0, next - clock.now()), LONGEST_BACK_OFF_MS));
    }
    // At once: whoever comes between the last look and a later callback would be followed by nobody.
    this.#working = undefined;
  }

  /** Of each project in which one has to be read now, all that may be. */
  #due(): readonly Followed[] {
    const now = this.#context.clock.now();
    const all = [...this.#followed.values()];
    // No pause is that long: the clock was set back.
    const isDue = ({ nextAt }: Followed) => nextAt <= now || nextAt > now + LONGEST_BACK_OFF_MS;
    const projects = new Set(all.filter(isDue).map(({ run }) => run.record.project));
    return all.filter((one) => isDue(one) || (one.soonAt <= now && projects.has(one.run.record.project)));
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
    const { connect, closing } = this.#context;
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
      this.#atOnce = Math.min(this.#atOnce + 1, RUNS_AT_ONCE);
      for (const followed of group) this.#later(followed, Math.min(pauseMs, LONGEST_BACK_OFF_MS));
    } catch (thrown) {
      if (closing.aborted) return;
      if (group.length > 1 && asPlumblineError(thrown).code === 'ERR_HTTP_BODY') await this.#lookAtFewer(group);
      else await this.#failed(group, thrown);
    }
  }

  /** What one run makes of the answer, by its size or otherwise, keeps nobody else's from being seen. */
  async #lookAtFewer(group: readonly Followed[]): Promise<void> {
    this.#atOnce = Math.ceil(group.length / 2);
    for (const half of groupsOf(group, this.#atOnce)) if (!this.#context.closing.aborted) await this.#look(half);
  }

  #later(followed: Followed, askedMs: number): void {
    const now = this.#context.clock.now();
    const pause = this.#pauseOf(followed);
    followed.failures = 0;
    followed.nextAt = now + Math.max(askedMs, pause);
    followed.soonAt = now + Math.max(askedMs, pause * TOGETHER);
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
    // Somebody else's clock: how long a key is kept is not for it to say.
    const within = (at: number) => Math.min(Math.max(at, followed.run.record.createdAt), now);
    const startedAt = seen.startedAt === undefined ? undefined : within(seen.startedAt);
    if (state !== 'running') {
      const error =
        state === 'unknown' ? this.#errorOf(followed, `it ended with '${seen.result.slice(0, 40)}'`) : undefined;
      await this.#end(followed, { state, endedAt: within(seen.endedAt ?? now), startedAt, error });
    } else if (followed.state === 'queued') {
      await runs.running(id, seen.name, now, startedAt ?? now);
      followed.state = 'running';
      this.#context.watchers.changed(id);
    }
  }

  async #failed(group: readonly Followed[], thrown: unknown): Promise<void> {
    const { clock, times, log } = this.#context;
    const { message, details } = asPlumblineError(thrown);
    const project = group[0]?.run.record.project ?? '';
    const asked = Math.min(Number(details['retryAfterMs'] ?? 0), LONGEST_BACK_OFF_MS);
    if (group.every(({ failures }) => failures === 0))
      log('Pipeline runs cannot be read', { organization: this.#organization, project, why: message });
    this.#troubles.set(project, message);
    const now = clock.now();
    for (const followed of group) {
      const backOff = Math.min(SHORTEST_MS * 2 ** followed.failures++, LONGEST_BACK_OFF_MS);
      followed.nextAt = now + Math.max(asked, Math.round(backOff * (0.5 + Math.random() / 2)));
      followed.soonAt = followed.nextAt;
      if (isStoreUnavailable(thrown)) continue;
      const isGivenUp = now - followed.seenAt >= times.giveUpMs && followed.failures >= LEAST_FAILURES;
      if (isGivenUp) await this.#unknown(followed, message).catch(() => undefined);
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

/** By project, so many in one request. */
function groupsOf(due: readonly Followed[], atOnce: number): readonly (readonly Followed[])[] {
  const projects = new Map<string, Followed[]>();
  for (const one of due) {
    const { project } = one.run.record;
    const all = projects.get(project);
    if (all) all.push(one);
    else projects.set(project, [one]);
  }
  return [...projects.values()].flatMap((all) =>
    Array.from({ length: Math.ceil(all.length / atOnce) }, (_, i) => all.slice(i * atOnce, (i + 1) * atOnce)),
  );
}
