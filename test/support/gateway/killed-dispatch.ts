import type { ScriptedAzureDevOps } from '../scripted-azure-devops.ts';
import { KilledProcess } from './killed-process.ts';

/** A pipeline run in the store, seen from outside. */
export interface SeenPipelineRun {
  readonly id: string;
  readonly key: string;
  readonly phase: string;
  readonly state: string;
  readonly azure_run: number | null;
}

/** Queues pipelines: `{ queue: KEY }`. */
export class KilledDispatch extends KilledProcess<SeenPipelineRun> {
  protected readonly query = 'select id, key, phase, state, azure_run from pipeline_runs order by id';
  protected readonly program: readonly [string, ...string[]];

  constructor(azure: ScriptedAzureDevOps) {
    super();
    const { proxy, caFile } = azure.network as { proxy: { url: string }; caFile: string };
    this.program = ['dispatch-process.ts', proxy.url, caFile];
  }

  /** Records of the audit about a key, in order. */
  audited(key: string): readonly { readonly type: string; readonly data: Record<string, unknown> }[] {
    return this.auditRecords().filter(({ data }) => data['key'] === key);
  }
}
