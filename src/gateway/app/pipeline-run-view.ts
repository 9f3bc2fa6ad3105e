import type { PipelineRun } from '../dispatch/pipeline-run.ts';

export type PipelineRunView = Omit<PipelineRun, 'scope' | 'fingerprint'> & {
  readonly sharedId: string;
  readonly links: Readonly<Record<string, string>>;
};

/** A pipeline run as the API shows it. @param base of links; empty for paths alone. */
export function pipelineRunView(run: PipelineRun, base: string): PipelineRunView {
  const { scope: _scope, fingerprint: _fingerprint, ...shown } = run;
  const self = `${base}/v1/azure-devops/pipeline-runs/${run.id}`;
  return { ...shown, sharedId: run.id, links: { self, events: `${self}/events`, outcome: `${self}/outcome` } };
}
