import { type CalledBy, parseCalledBy } from '#lineage/called-by.ts';
import type { RunName } from '#lineage/facets.ts';
import type { InputReader } from './input-reader.ts';

/** The context that a gateway handed to the pipeline; `undefined` when nothing called it. What was given is not shown. */
export function readCalledBy(reader: InputReader): CalledBy | undefined {
  const text = reader.text('calledBy');
  if (text === undefined) return undefined;
  const context = parseCalledBy(text);
  if (!('problem' in context)) return context;
  reader.problem({
    input: 'calledBy',
    given: `unusable (${context.problem})`,
    allowed: 'what a Plumbline gateway writes into the template parameter that its policy names',
  });
  return undefined;
}

/** The two runs of the story above this step; `undefined` when the caller told of none. */
export function runsAbove(
  calledBy: CalledBy | undefined,
): { readonly parent: RunName; readonly root: RunName } | undefined {
  if (calledBy?.parent === undefined) return undefined;
  return { parent: calledBy.parent, root: calledBy.root ?? calledBy.parent };
}
