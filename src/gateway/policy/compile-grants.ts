import type { AirflowGrant } from './access-grants.ts';
import type { CompiledPipeline } from './binding.ts';
import { compileCondition, compileParameters } from './condition.ts';
import { pipelineKey } from './pipeline-key.ts';
import type { AirflowEntry, PipelineEntry } from './policy-document.ts';

export function compileAirflow(name: string, { airflow, user, role }: AirflowEntry): AirflowGrant {
  return { name, airflow, user, role };
}

export function compilePipeline(name: string, entry: PipelineEntry): CompiledPipeline {
  const { organization, project, pipeline, refs, templateParameters = {}, contextParameter } = entry;
  return {
    grant: { name, organization, project, pipeline, contextParameter },
    key: pipelineKey(entry),
    refs: refs.map(compileCondition),
    parameters: compileParameters(templateParameters),
  };
}
