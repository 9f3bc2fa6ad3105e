import type { JsonValue } from '#core/json.ts';
import type { CompiledPipeline } from './binding.ts';
import { parameterMatches } from './condition.ts';
import { parameterChecks } from './parameter-checks.ts';
import type { Check } from './role-checks.ts';

const MAX_REF = 256;
/** Of git-check-ref-format(1), and nothing that could be read as another ref. */
const REF = /^refs(\/(?!\.)[^\p{C}\p{Z}~^:?*[\\/]+)+$/u;
/** Of a template parameter, as the expressions of Azure Pipelines read names. */
const PARAMETER_NAME = /^[A-Za-z_][A-Za-z0-9_-]*$/;

/** A ref is whose code runs: it holds in every mode. */
export function* refChecks({ refs }: CompiledPipeline, ref: string): Generator<Check> {
  const held = isRef(ref) && refs.some((condition) => parameterMatches(condition, ref));
  const wanted = refs.map(({ condition }) => condition);
  yield { kind: 'code', reason: 'pipeline-ref', field: 'ref', held, wanted, actual: ref };
}

export function templateParameterChecks(
  { filled, parameters }: CompiledPipeline,
  given: Readonly<Record<string, JsonValue>>,
): Iterable<Check> {
  return parameterChecks(
    {
      parameters,
      others: false,
      // Azure Pipelines knows `Date` as `date`.
      isFilled: (name) => filled.has(name.toLowerCase()),
      filledReason: 'parameter-context',
      isName: (name) => PARAMETER_NAME.test(name),
    },
    given,
  );
}

/** In full, such as `refs/heads/main`. */
function isRef(ref: string): boolean {
  return ref.length <= MAX_REF && REF.test(ref) && !ref.includes('..') && !ref.endsWith('.lock');
}
