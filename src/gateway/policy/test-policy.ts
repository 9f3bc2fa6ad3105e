import type { FileProblem } from '../config/yaml-source.ts';
import type { Binding, Viewer } from './binding.ts';
import type { ExampleOutcome } from './example-outcome.ts';
import type { LoadedPolicy } from './loaded-policy.ts';
import { ANONYMOUS_ISSUER } from './policy.ts';
import type { PolicyParts } from './policy-parts.ts';
import { tryAnonymousExample } from './try-anonymous-example.ts';
import { tryBindingExample } from './try-binding-example.ts';
import { tryViewerExample } from './try-viewer-example.ts';

/** What became of one example. */
export interface ExampleResult extends ExampleOutcome {
  /** Name of the binding or viewer. */
  readonly binding: string;
  readonly expected: 'allow' | 'deny';
  /** Of the example or, without one, its number: `allow 1`. */
  readonly title: string;
  readonly at: FileProblem;
}

/**
 * Tries the examples of every binding and viewer. An allow example must be allowed by its own binding; a deny example must be refused
 * by it, and no other binding may let it in. Enforcement is tried, whatever the mode. The result of a file never changes
 * with the day: an example without `at` is tried inside its binding's period, and periods of other rules do not count.
 */
export function testPolicy({ parts }: LoadedPolicy): readonly ExampleResult[] {
  const { bindings, viewers = [] } = parts.document;
  return [
    ...bindings.flatMap((entry, i) =>
      results(parts, 'bindings', i, entry, (example, expected) => {
        const binding = parts.bindings[i] as Binding;
        if (entry.issuer === ANONYMOUS_ISSUER) return tryAnonymousExample(parts, binding, example, expected);
        return tryBindingExample(parts, binding, entry, example, expected);
      }),
    ),
    ...viewers.flatMap((entry, i) =>
      results(parts, 'viewers', i, entry, (example, expected) =>
        tryViewerExample(parts, parts.viewers[i] as Viewer, example, expected),
      ),
    ),
  ];
}

interface WithExamples<Example> {
  readonly name: string;
  readonly examples: { readonly allow: readonly Example[]; readonly deny: readonly Example[] };
}

function results<Example extends { readonly title?: string }>(
  { place }: PolicyParts,
  list: 'bindings' | 'viewers',
  index: number,
  { name, examples }: WithExamples<Example>,
  tryExample: (example: Example, expected: 'allow' | 'deny') => ExampleOutcome,
): ExampleResult[] {
  return (['allow', 'deny'] as const).flatMap((expected) =>
    examples[expected].map((example, n) => {
      const { passed, outcome, reasons } = tryExample(example, expected);
      const at = place([list, index, 'examples', expected, n], outcome);
      const title = example.title ?? `${expected} ${n + 1}`;
      return { binding: name, expected, title, passed, outcome, reasons, at };
    }),
  );
}

/** The examples that did not come out as they say, as problems of the file. */
export function exampleProblems(policy: LoadedPolicy): readonly FileProblem[] {
  const failed = testPolicy(policy).filter(({ passed }) => !passed);
  return failed.map(({ at, expected, outcome }) => ({
    ...at,
    message: `the example must be ${expected === 'allow' ? 'allowed' : 'refused'}, but it is ${outcome}`,
  }));
}
