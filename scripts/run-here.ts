import { join } from 'node:path';
import { liveTable } from '#local-pipeline/live-table.ts';
import { installedNodeBinaries } from '#local-pipeline/node-handlers.ts';
import type { PipelineReport } from '#local-pipeline/pipeline-report.ts';
import { plainProgress } from '#local-pipeline/plain-progress.ts';
import { type PipelineOptions, runPipeline } from '#local-pipeline/run-pipeline.ts';
import { packageExtension } from './package-extension.ts';
import { ROOT } from './repository.ts';

type WhatToRun = Omit<PipelineOptions, 'vsix' | 'nodes' | 'listener' | 'cancelled' | 'stopped'>;

/** Runs a pipeline in this process with the VSIX of this checkout: its progress in the terminal, Ctrl-C as its Cancel button. */
export async function runHere(options: WhatToRun): Promise<PipelineReport> {
  const vsix = await packageExtension();
  const view = process.stdout.isTTY ? liveTable(process.stdout) : plainProgress(process.stdout);
  const interrupt = interrupts();
  try {
    return await runPipeline({
      ...options,
      vsix,
      nodes: installedNodeBinaries(join(ROOT, 'node_modules')),
      listener: view.listener,
      ...interrupt.signals,
    });
  } finally {
    interrupt.stop();
    view.close();
  }
}

/** Ctrl-C cancels the run; a second one ends it without `always()` steps. */
function interrupts(): { signals: { cancelled: AbortSignal; stopped: AbortSignal }; stop: () => void } {
  const cancel = new AbortController();
  const end = new AbortController();
  const onSignal = () => (cancel.signal.aborted ? end : cancel).abort();
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  const stop = () => void process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  return { signals: { cancelled: cancel.signal, stopped: end.signal }, stop };
}
