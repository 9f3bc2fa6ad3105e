import { join } from 'node:path';
import type { RunServices } from '#local-azure/local-azure.ts';
import type { RunQueued } from '#local-azure/pipeline-queue.ts';
import type { RunResult } from '#local-azure/pipeline-run.ts';
import type { PipelineReport } from '#local-pipeline/pipeline-report.ts';
import { type PipelineOptions, runPipeline } from '#local-pipeline/run-pipeline.ts';

export interface QueuedPipelineOptions extends Pick<PipelineOptions, 'vsix' | 'nodes' | 'node' | 'secretVariables'> {
  /** Log and attachments of each run go to a folder of its number below. */
  readonly out: string;
  /** Told of each run that has ended, with its number. */
  readonly ended?: (buildId: number, report: PipelineReport) => void;
}

const RESULTS: Readonly<Record<PipelineReport['result'], RunResult>> = {
  Succeeded: 'succeeded',
  Skipped: 'succeeded',
  SucceededWithIssues: 'partiallySucceeded',
  Failed: 'failed',
  Canceled: 'canceled',
};

/** What is queued at local Azure by REST is run by the local pipeline, in this process, as many at once as there are. */
export function queuedPipelineRunner({ out, ended, ...options }: QueuedPipelineOptions): RunQueued<RunServices> {
  return async ({ buildId, yaml, templateParameters, variables, services, cancelled }) => {
    const report = await runPipeline({
      ...options,
      file: yaml,
      out: join(out, String(buildId)),
      parameters: templateParameters,
      variables,
      services,
      cancelled,
    });
    ended?.(buildId, report);
    return RESULTS[report.result];
  };
}
