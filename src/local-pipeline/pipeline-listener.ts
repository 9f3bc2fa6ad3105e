import type { DetailRecord, StepIssue, StepRecord } from './step-record.ts';
import type { TaskResult } from './task-result.ts';

/** What happens while a pipeline runs; all text is masked. */
export type PipelineEvent =
  | { readonly kind: 'note'; readonly text: string }
  | { readonly kind: 'job-started'; readonly job: string; readonly steps: readonly StepRecord[] }
  | { readonly kind: 'job-ended'; readonly job: string; readonly result: TaskResult }
  | { readonly kind: 'step-started' | 'step-ended' | 'progress'; readonly record: StepRecord }
  | { readonly kind: 'line'; readonly record: StepRecord; readonly text: string }
  | { readonly kind: 'issue'; readonly record: StepRecord; readonly issue: StepIssue }
  | { readonly kind: 'detail'; readonly record: StepRecord; readonly detail: DetailRecord };

export type PipelineListener = (event: PipelineEvent) => void;
