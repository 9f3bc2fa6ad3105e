import type { Clock } from '#core/clock.ts';
import type { JobTokens, TokenHolder } from './job-tokens.ts';
import {
  type JobFacts,
  PipelineRun,
  type PipelineRunFacts,
  type PublishedAttachment,
  type PullRequestStatus,
  type StepFacts,
} from './pipeline-run.ts';
import type { PipelineRuns } from './pipeline-runs.ts';
import type { Project, World } from './world.ts';

/** A job's token, and the run that it is of. */
export interface RunTokenHolder extends TokenHolder {
  readonly run: PipelineRun;
}

/** What a pipeline tells while it runs, and what it has published. */
export interface PipelineSide {
  /** Begins a run. */
  beginRun(run: PipelineRunFacts): void;
  /** The job's access token and the address that gives its ID tokens, for the connections that it names and no others. */
  beginJob(job: JobFacts): { accessToken: string; oidcRequestUri: string };
  beginStep(step: StepFacts): void;
  /** Its access token is worthless from then on. */
  endJob(jobId: string): void;
  published(): Published;
}

export interface Published {
  tags: string[];
  properties: Record<string, string>;
  attachments: PublishedAttachment[];
  statuses: PullRequestStatus[];
}

export interface RunSessionOptions {
  readonly world: World;
  readonly runs: PipelineRuns;
  readonly tokens: JobTokens<RunTokenHolder>;
  readonly clock: Clock;
}

/** The side of one run at a time. Sessions know nothing of each other. */
export class RunSession implements PipelineSide {
  readonly #options: RunSessionOptions;
  readonly #project: Project;
  readonly #queued: PipelineRun | undefined;
  #run: PipelineRun | undefined;

  /** @param queued the only run of this session; without it each run that begins takes the place of the one before. */
  constructor(options: RunSessionOptions, queued?: PipelineRun) {
    this.#options = options;
    this.#project = queued?.project ?? options.world.project;
    this.#queued = queued;
  }

  beginRun(facts: PipelineRunFacts): void {
    const { runs, clock } = this.#options;
    this.forget();
    this.#run = this.#queued ?? new PipelineRun(facts, this.#project, clock.now());
    this.#run.begin(facts, clock.now());
    runs.add(this.#run);
  }

  beginJob(job: JobFacts): { accessToken: string; oidcRequestUri: string } {
    const { tokens, clock, world } = this.#options;
    const run = this.#current();
    const { planId, buildId } = run.facts;
    run.addJob(job, clock.now());
    const accessToken = tokens.issue({ ...job, run }, { BuildId: `${planId};${buildId}`, orchid: job.jobId });
    const path = `_apis/distributedtask/hubs/build/plans/${job.planId}/jobs/${job.jobId}/oidctoken`;
    return { accessToken, oidcRequestUri: `${world.organization.url}${this.#project.id}/${path}` };
  }

  beginStep(step: StepFacts): void {
    this.#current().addStep(step, this.#options.clock.now());
  }

  endJob(jobId: string): void {
    const run = this.#current();
    this.#options.tokens.revoke((holder) => holder.run === run && holder.jobId === jobId);
    run.endJob(jobId, this.#options.clock.now());
  }

  published(): Published {
    return publishedBy(this.#current());
  }

  /** Tokens of the run's jobs are worthless; a run that nobody queued is no more. */
  forget(): void {
    const run = this.#run;
    if (run === undefined) return;
    this.#options.tokens.revoke((holder) => holder.run === run);
    if (run !== this.#queued) this.#options.runs.remove(run);
  }

  #current(): PipelineRun {
    if (this.#run === undefined) throw new TypeError('no run was begun');
    return this.#run;
  }
}

export function publishedBy(run: PipelineRun): Published {
  return {
    tags: [...run.tags],
    properties: Object.fromEntries(run.properties),
    attachments: [...run.attachments()],
    statuses: [...run.statuses],
  };
}
