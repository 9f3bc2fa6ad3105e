import { formatDuration } from '#core/duration.ts';
import type { ProgressView, Terminal } from './live-table.ts';
import type { PipelineEvent } from './pipeline-listener.ts';

/** One line of text for each thing that happens, for a pipe or a file. */
export function plainProgress(output: Pick<Terminal, 'write'>): ProgressView {
  return {
    listener: (event) => {
      const line = lineOf(event);
      if (line !== undefined) output.write(`${line}\n`);
    },
    close: () => {},
  };
}

function lineOf(event: PipelineEvent): string | undefined {
  switch (event.kind) {
    case 'note':
      return `note: ${event.text}`;
    case 'job-started':
      return `job ${event.job}`;
    case 'job-ended':
      return `job ${event.job}: ${event.result}`;
    case 'line':
      return `  ${event.record.displayName} | ${event.text}`;
    case 'step-ended': {
      const { displayName, result, startedAt = 0, endedAt = 0 } = event.record;
      return `  ${displayName}: ${result}${result === 'Skipped' ? '' : ` in ${formatDuration(endedAt - startedAt)}`}`;
    }
    default:
      return undefined;
  }
}
