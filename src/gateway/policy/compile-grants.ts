import type { AirflowGrant } from './access-grants.ts';
import type { CompiledPipeline } from './binding.ts';
import { compileCondition, compileParameters } from './condition.ts';
import { filledParameters } from './filled-parameters.ts';
import { pipelineKey } from './pipeline-key.ts';
import type { AirflowEntry, PipelineEntry } from './policy-document.ts';

export function compileAirflow(name: string, { airflow, user, role }: AirflowEntry): AirflowGrant {
  return { name, airflow, user, role };
}

export function compilePipelines(
  pipelines: Readonly<Record<string, PipelineEntry>>,
): ReadonlyMap<string, CompiledPipeline> {
  const filled = filledParameters(pipelines);
  const names = (entry: PipelineEntry) => new Set(filled.get(pipelineKey(entry))?.keys());
  return new Map(Object.entries(pipelines).map(([name, entry]) => [name, compilePipeline(name, entry, names(entry))]));
}

function compilePipeline(name: string, entry: PipelineEntry, filled: ReadonlySet<string>): CompiledPipeline {
  const { organization, project, pipeline, refs, templateParameters = {}, contextParameter } = entry;
  return {
    grant: { name, organization, project, pipeline, contextParameter },
    key: pipelineKey(entry),
    refs: refs.map(compileCondition),
    parameters: compileParameters(templateParameters),
    filled,
  };
}
