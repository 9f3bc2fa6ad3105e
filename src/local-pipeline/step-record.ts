import { mergeResults, type TaskResult } from './task-result.ts';

export interface StepIssue {
  readonly type: 'error' | 'warning';
  readonly message: string;
  readonly code?: string | undefined;
  /** Repository-relative when the file lies in the repository. */
  readonly sourcePath?: string | undefined;
  readonly line?: number | undefined;
}

/** A nested record that a step drew with `task.logdetail`: for us, one Luigi task. */
export interface DetailRecord {
  readonly id: string;
  readonly parentId?: string | undefined;
  readonly name: string;
  readonly type: string;
  readonly order?: number | undefined;
  readonly state: string;
  readonly progress?: number | undefined;
  readonly currentOperation?: string | undefined;
  readonly result?: string | undefined;
  readonly startTime?: string | undefined;
  readonly finishTime?: string | undefined;
}

export interface Attachment {
  readonly type: string;
  readonly name: string;
  readonly recordId: string;
  readonly content: Uint8Array;
}

/** The agent keeps this many errors and this many warnings of a record; more are only counted and logged. */
const MOST_ISSUES = 10;

/** What the timeline keeps of one step. */
export class StepRecord {
  readonly id: string;
  /** What `dependencies.…outputs` and `System.TaskInstanceName` call it. */
  readonly name: string;
  readonly displayName: string;
  /** `RunLuigi@1`, `script`, `bash`, `checkout`. */
  readonly task: string;
  readonly job: string;
  result: TaskResult | undefined;
  /** What failed commands make of the result, merged in at the end. */
  commandResult: TaskResult | undefined;
  readonly issues: StepIssue[] = [];
  readonly counts = { error: 0, warning: 0 };
  readonly outputs = new Map<string, { value: string; secret: boolean }>();
  readonly details = new Map<string, DetailRecord>();
  progress = 0;
  currentOperation: string | undefined;
  startedAt: number | undefined;
  endedAt: number | undefined;

  constructor(facts: Pick<StepRecord, 'id' | 'name' | 'displayName' | 'task' | 'job'>) {
    this.id = facts.id;
    this.name = facts.name;
    this.displayName = facts.displayName;
    this.task = facts.task;
    this.job = facts.job;
  }

  addIssue(issue: StepIssue): void {
    if (this.counts[issue.type] < MOST_ISSUES) this.issues.push(issue);
    this.counts[issue.type] += 1;
  }

  /** Settles the result by the agent's rules: failed commands count, `continueOnError` softens a failure. */
  settle(continueOnError: boolean): TaskResult {
    if (this.commandResult) this.result = mergeResults(this.result, this.commandResult);
    if (this.result === 'Failed' && continueOnError) this.result = 'SucceededWithIssues';
    this.result ??= 'Succeeded';
    return this.result;
  }
}
