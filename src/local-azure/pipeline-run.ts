import type { Identity, PipelineDefinition, Project } from './world.ts';

/** The run that a local pipeline announces. */
export interface PipelineRunFacts {
  readonly buildId: number;
  readonly buildNumber: string;
  readonly definitionId: number;
  readonly definitionName: string;
  readonly planId: string;
  readonly timelineId: string;
  readonly repository: { readonly id: string; readonly name: string; readonly type: string; readonly url: string };
  readonly branch: string;
  readonly commit: string;
  /** As in `Build.Reason`, e.g. `Manual`, `PullRequest`. */
  readonly reason: string;
}

export interface JobFacts {
  readonly jobId: string;
  readonly planId: string;
  readonly timelineId: string;
  readonly connectionIds: readonly string[];
}

export interface StepFacts {
  readonly recordId: string;
  readonly jobId: string;
  readonly name: string;
}

export interface PublishedAttachment {
  readonly type: string;
  readonly name: string;
  readonly recordId: string;
  readonly content: Uint8Array;
}

export interface PullRequestStatus {
  readonly id: number;
  readonly state: string;
  readonly description: string | undefined;
  readonly context: { readonly name: string; readonly genre?: string | undefined };
  readonly targetUrl: string | undefined;
  readonly createdAt: number;
}

export interface TimelineEntry {
  readonly id: string;
  readonly parentId: string | null;
  readonly type: 'Job' | 'Task';
  readonly name: string;
  readonly startedAt: number;
  endedAt: number | undefined;
  attempt: number;
  readonly order: number;
}

/** How a run ended, in the words of the Build API. */
export type RunResult = 'succeeded' | 'partiallySucceeded' | 'failed' | 'canceled';

/** What was asked for when a run was queued by REST. */
export interface QueueRequest {
  readonly definition: PipelineDefinition;
  readonly templateParameters: Readonly<Record<string, string>>;
  readonly by: Identity;
}

/** Everything that Azure DevOps knows about one run: what was announced and what was published. */
export class PipelineRun {
  readonly project: Project;
  /** Milliseconds since the epoch. */
  readonly queuedAt: number;
  /** Absent for a run that a pipeline announced itself. */
  readonly request: QueueRequest | undefined;
  readonly jobs = new Map<string, JobFacts>();
  readonly timeline = new Map<string, TimelineEntry>();
  readonly tags = new Set<string>();
  readonly properties = new Map<string, string>();
  readonly statuses: PullRequestStatus[] = [];
  readonly #attachments = new Map<string, PublishedAttachment>();
  #facts: PipelineRunFacts;
  #startedAt: number | undefined;
  #end: { readonly at: number; readonly result: RunResult } | undefined;

  /** @param queuedAt milliseconds since the epoch. */
  constructor(facts: PipelineRunFacts, project: Project, queuedAt: number, request?: QueueRequest) {
    this.#facts = facts;
    this.project = project;
    this.queuedAt = queuedAt;
    this.request = request;
  }

  get facts(): PipelineRunFacts {
    return this.#facts;
  }

  get startedAt(): number | undefined {
    return this.#startedAt;
  }

  get endedAt(): number | undefined {
    return this.#end?.at;
  }

  get result(): RunResult | undefined {
    return this.#end?.result;
  }

  get status(): 'notStarted' | 'inProgress' | 'completed' {
    if (this.#end !== undefined) return 'completed';
    return this.#startedAt === undefined ? 'notStarted' : 'inProgress';
  }

  /** It starts, and only now all of its facts are known. */
  begin(facts: PipelineRunFacts, at: number): void {
    if (facts.buildId !== this.#facts.buildId) throw new TypeError(`beginRun: the run is ${this.#facts.buildId}`);
    this.#facts = facts;
    this.#startedAt = at;
  }

  end(result: RunResult, at: number): void {
    this.#end = { at, result };
  }

  addJob(job: JobFacts, at: number): void {
    this.jobs.set(job.jobId, job);
    this.#record({ id: job.jobId.toLowerCase(), parentId: null, type: 'Job', name: job.jobId }, at);
  }

  /** Announcing a step again is its next attempt. */
  addStep(step: StepFacts, at: number): void {
    if (!this.jobs.has(step.jobId)) throw new TypeError(`beginStep: the job ${step.jobId} was not begun`);
    this.#record(
      { id: step.recordId.toLowerCase(), parentId: step.jobId.toLowerCase(), type: 'Task', name: step.name },
      at,
    );
  }

  endJob(jobId: string, at: number): void {
    const id = jobId.toLowerCase();
    for (const entry of this.timeline.values()) if (entry.id === id || entry.parentId === id) entry.endedAt ??= at;
  }

  /** The second attachment of one type and name on one record replaces the first. */
  attach(attachment: PublishedAttachment): void {
    this.#attachments.set([attachment.recordId, attachment.type, attachment.name].join('\n'), attachment);
  }

  attachments(): readonly PublishedAttachment[] {
    return [...this.#attachments.values()];
  }

  attachment(recordId: string, type: string, name: string): PublishedAttachment | undefined {
    return this.#attachments.get([recordId, type, name].join('\n'));
  }

  #record(entry: Pick<TimelineEntry, 'id' | 'parentId' | 'type' | 'name'>, startedAt: number): void {
    const previous = this.timeline.get(entry.id);
    this.timeline.set(entry.id, {
      ...entry,
      startedAt,
      endedAt: undefined,
      attempt: (previous?.attempt ?? 0) + 1,
      order: previous?.order ?? this.timeline.size + 1,
    });
  }
}
