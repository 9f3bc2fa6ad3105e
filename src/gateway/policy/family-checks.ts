import type { Binding, CompiledRole } from './binding.ts';
import { judgeFamily } from './decide-task.ts';
import type { Check } from './role-checks.ts';

/** Whether tasks of a family get a token and, where that is asked, as whom. */
export function* familyChecks(
  binding: Pick<Binding, 'families'>,
  role: CompiledRole,
  { family, identity }: { readonly family: string; readonly identity?: string | undefined },
): Generator<Check> {
  const verdict = judgeFamily(role, binding, family);
  const isNamed = verdict.reason === 'task-identity';
  yield { kind: 'run', reason: verdict.reason, field: 'family', held: isNamed, wanted: undefined, actual: family };
  if (!isNamed || identity === undefined) return;
  const actual = verdict.identity?.name;
  yield { kind: 'run', reason: 'identity', field: 'identity', held: actual === identity, wanted: identity, actual };
}
