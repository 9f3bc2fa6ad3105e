import { pipelineKey } from './pipeline-key.ts';
import type { PipelineEntry } from './policy-document.ts';

/**
 * By {@link pipelineKey}: the template parameters that the gateway fills, in lower case, each with the grant that says so. What one
 * grant has filled no caller may give by another for the same pipeline, which would take it for the gateway's word.
 */
export function filledParameters(
  pipelines: Readonly<Record<string, PipelineEntry>>,
): ReadonlyMap<string, ReadonlyMap<string, string>> {
  const filled = new Map<string, Map<string, string>>();
  for (const [grant, entry] of Object.entries(pipelines)) {
    if (entry.contextParameter === undefined) continue;
    const key = pipelineKey(entry);
    const ofPipeline = filled.get(key) ?? new Map<string, string>();
    filled.set(key, ofPipeline);
    const name = entry.contextParameter.toLowerCase();
    if (!ofPipeline.has(name)) ofPipeline.set(name, grant);
  }
  return filled;
}
