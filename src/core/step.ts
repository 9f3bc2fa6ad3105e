import type { Host } from './host.ts';

/** How a step ends, in the words of the pipeline. */
export interface StepResult {
  readonly result: 'Succeeded' | 'SucceededWithIssues' | 'Failed' | 'Canceled';
  /** One line that a person reads first. */
  readonly message: string;
}

/**
 * One step of a pipeline. `signal` aborts when the pipeline cancels the step; the step then stops what it started and
 * still returns its result.
 */
export type Step = (host: Host, signal: AbortSignal) => Promise<StepResult>;
