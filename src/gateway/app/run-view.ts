import type { RunRecord } from '../runs/run-record.ts';

export type RunView = Omit<RunRecord, 'scope' | 'fingerprint'> & { readonly links: Readonly<Record<string, string>> };

/** A run as the API shows it: without what only the gateway needs. @param base of links; empty for paths alone. */
export function runView(run: RunRecord, base: string): RunView {
  const { scope: _scope, fingerprint: _fingerprint, ...shown } = run;
  const self = `${base}/v1/runs/${run.id}`;
  const below = ['events', 'logs', 'graph', 'lineage', 'cancel', 'token'].map((name) => [name, `${self}/${name}`]);
  return { ...shown, links: { self, ...Object.fromEntries(below) } };
}
