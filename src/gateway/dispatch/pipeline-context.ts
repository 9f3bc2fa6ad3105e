import { redactCredentials } from '../audit/redaction-guard.ts';
import type { Caller } from '../auth/caller.ts';
import type { PipelineRunRequest } from './pipeline-run.ts';

/**
 * What the pipeline is told of who queued it, as JSON of one line: `v`, `sharedId`, `parent`, `root`, `caller`. It becomes the
 * value of a template parameter, which Azure Pipelines may expand (`$(…)`, `${{ … }}`) and print: no text in it is syntax of a
 * pipeline, nor a command of an agent. Readers of JSON get the same values.
 */
export function pipelineContext(sharedId: string, caller: Caller, request: PipelineRunRequest): string {
  const { lineage, claimed } = request;
  const context = {
    v: 1,
    sharedId,
    ...(lineage?.parent && { parent: lineage.parent }),
    ...(lineage?.root && { root: lineage.root }),
    caller: { ...claimed, issuer: caller.issuer, subject: redactCredentials(caller.subject) },
  };
  return JSON.stringify(context).replace(MEANS_SOMETHING, escaped);
}

/** What pipelines, agents and terminals read as more than text; it stands inside of JSON strings only. */
const MEANS_SOMETHING = /[$#\p{Cf}\u007f-\u009f\u2028\u2029]/gu;

function escaped(character: string): string {
  return [...Array(character.length).keys()]
    .map((i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`)
    .join('');
}

/** Whether a run got the context of this shared id. */
export function holdsContext(value: unknown, sharedId: string): boolean {
  if (typeof value !== 'string' || !value.includes(sharedId)) return false;
  try {
    const context: unknown = JSON.parse(value);
    return typeof context === 'object' && context !== null && (context as { sharedId?: unknown }).sharedId === sharedId;
  } catch {
    return false;
  }
}
