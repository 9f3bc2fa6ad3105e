import { resolve } from 'node:path';
import type { Clock } from '#core/clock.ts';
import { derivedGuid } from './derived-guid.ts';
import { PipelineRun, type PipelineRunFacts, type QueueRequest, type RunResult } from './pipeline-run.ts';
import type { PipelineRuns } from './pipeline-runs.ts';
import { type PipelineSide, publishedBy, RunSession, type RunSessionOptions } from './run-session.ts';
import type { Project } from './world.ts';

/** A run that somebody queued by REST and that is to be run now. */
export interface QueuedRun<Services extends PipelineSide = PipelineSide> {
  readonly buildId: number;
  readonly pipeline: { readonly id: number; readonly name: string; readonly project: Project };
  /** Absolute path of the pipeline's file. */
  readonly yaml: string;
  readonly ref: string;
  readonly templateParameters: Readonly<Record<string, string>>;
  /** Variables that make the run this one: its number, definition, branch, reason, plan and who queued it. */
  readonly variables: Readonly<Record<string, string>>;
  /** Azure's side of this run and of no other. */
  readonly services: Services;
  /** Aborted when local Azure closes. */
  readonly cancelled: AbortSignal;
}

/** Runs it and says how it ended. A rejection is a run that failed. */
export type RunQueued<Services extends PipelineSide = PipelineSide> = (run: QueuedRun<Services>) => Promise<RunResult>;

/** A queued run as it stands. */
export interface QueuedRunState extends ReturnType<typeof publishedBy> {
  readonly buildId: number;
  readonly buildNumber: string;
  /** Id of the definition. */
  readonly pipeline: number;
  readonly name: string;
  readonly project: string;
  readonly ref: string;
  readonly templateParameters: Readonly<Record<string, string>>;
  readonly status: PipelineRun['status'];
  readonly result: RunResult | undefined;
  /** Why the runner gave up. */
  readonly problem: string | undefined;
}

export interface PipelineQueueOptions<Services extends PipelineSide> extends RunSessionOptions {
  readonly runs: PipelineRuns;
  readonly clock: Clock;
  /** What relative paths of pipelines stand below. */
  readonly directory: string;
  /** Without it whatever is queued stays queued. */
  readonly run: RunQueued<Services> | undefined;
  readonly services: (session: PipelineSide, project: Project) => Services;
}

/** Takes runs and hands each over at once; they go on side by side. */
export class PipelineQueue<Services extends PipelineSide = PipelineSide> {
  readonly #options: PipelineQueueOptions<Services>;
  readonly #cancel = new AbortController();
  readonly #going = new Set<Promise<void>>();
  readonly #problems = new Map<PipelineRun, string>();

  constructor(options: PipelineQueueOptions<Services>) {
    this.#options = options;
  }

  /** Where the file of a pipeline lies. */
  file(yaml: string): string {
    return resolve(this.#options.directory, yaml);
  }

  queue(request: QueueRequest, ref: string): PipelineRun {
    const { runs, clock } = this.#options;
    const run = new PipelineRun(this.#facts(request, ref), request.definition.project, clock.now(), request);
    runs.add(run);
    const going = this.#run(run, request).finally(() => this.#going.delete(going));
    this.#going.add(going);
    return run;
  }

  states(): readonly QueuedRunState[] {
    return this.#options.runs.all().flatMap((run) => {
      if (run.request === undefined) return [];
      const { definition, templateParameters } = run.request;
      return [
        {
          ...publishedBy(run),
          buildId: run.facts.buildId,
          buildNumber: run.facts.buildNumber,
          pipeline: definition.id,
          name: definition.name,
          project: definition.project.name,
          ref: run.facts.branch,
          templateParameters,
          status: run.status,
          result: run.result,
          problem: this.#problems.get(run),
        },
      ];
    });
  }

  /** Until no run goes on, those that are queued meanwhile included. */
  async settled(): Promise<void> {
    while (this.#going.size > 0) await Promise.all(this.#going);
  }

  /** Cancels what goes on and waits for its end. */
  async close(): Promise<void> {
    this.#cancel.abort();
    await this.settled();
  }

  async #run(run: PipelineRun, request: QueueRequest): Promise<void> {
    const { clock, run: runner, services } = this.#options;
    if (runner === undefined) return;
    const session = new RunSession(this.#options, run);
    // The answer to whoever queued it comes first, as from a service whose agents are elsewhere.
    await new Promise((done) => setImmediate(done));
    try {
      const { definition, templateParameters } = request;
      const { id, name, project, yaml } = definition;
      const result = await runner({
        buildId: run.facts.buildId,
        pipeline: { id, name, project },
        yaml: this.file(yaml),
        ref: run.facts.branch,
        templateParameters,
        variables: variablesOf(run, request),
        services: services(session, project),
        cancelled: this.#cancel.signal,
      });
      run.end(result, clock.now());
    } catch (error) {
      this.#problems.set(run, error instanceof Error ? error.message : String(error));
      run.end(this.#cancel.signal.aborted ? 'canceled' : 'failed', clock.now());
    } finally {
      session.forget();
    }
  }

  /** As far as they are known before the run begins. */
  #facts({ definition }: QueueRequest, ref: string): PipelineRunFacts {
    const { runs, clock, world } = this.#options;
    const buildId = runs.nextId();
    const planId = derivedGuid('plan', world.organization.name, String(buildId));
    const day = new Date(clock.now()).toISOString().slice(0, 10).replaceAll('-', '');
    const { project, name } = definition;
    return {
      buildId,
      buildNumber: `${day}.${buildId}`,
      definitionId: definition.id,
      definitionName: name,
      planId,
      timelineId: planId,
      repository: {
        id: derivedGuid('repository', project.id, name),
        name: project.name,
        type: 'TfsGit',
        url: `${world.organization.url}${encodeURIComponent(project.name)}/_git/${encodeURIComponent(project.name)}`,
      },
      branch: ref,
      commit: '',
      reason: 'Manual',
    };
  }
}

function variablesOf({ facts }: PipelineRun, { by }: QueueRequest): Record<string, string> {
  return {
    'Build.BuildId': String(facts.buildId),
    'System.DefinitionId': String(facts.definitionId),
    'Build.DefinitionName': facts.definitionName,
    'Build.SourceBranch': facts.branch,
    'Build.Reason': facts.reason,
    'System.PlanId': facts.planId,
    'System.TimelineId': facts.timelineId,
    'Build.QueuedBy': by.name,
    'Build.QueuedById': by.objectId,
    'Build.RequestedFor': by.name,
    'Build.RequestedForId': by.objectId,
  };
}
