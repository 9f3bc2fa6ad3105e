import type { Binding, CompiledRole } from './binding.ts';
import type { Decision } from './policy.ts';
import type { PolicyParts } from './policy-parts.ts';
import { isDottedName } from './role-checks.ts';
import type { TaskDecision, TaskIdentity, TaskReason } from './task-identity.ts';

/** What role and binding say of a family, whatever the mode. */
export interface FamilyVerdict {
  readonly reason: TaskReason;
  readonly identity?: TaskIdentity | undefined;
}

/**
 * Decides about a task of a run: a run that is refused, and a name that is none, get no token in any mode; a family that the binding
 * or the role leaves out gets none, and a binding in report mode lets such a task run without; the first entry of the role
 * that matches says who the others are.
 *
 * @throws {TypeError} for a decision of another policy
 */
export function decideTask(parts: PolicyParts, decision: Decision, family: string): TaskDecision {
  const { policy, allowed, mode } = decision;
  if (policy !== parts.sha256) throw new TypeError('The decision about the run is of another policy.');
  const role = parts.roles.get(decision.role?.name ?? '');
  const binding = parts.bindingNamed.get(decision.binding ?? '');
  if (!allowed || role === undefined || binding === undefined) return refused('run-denied', 'enforce');
  const { reason, identity } = judgeFamily(role, binding, family);
  if (reason === 'family-name') return refused(reason, 'enforce');
  if (reason !== 'task-identity') return refused(reason, mode);
  return { allowed: true, wouldAllow: decision.wouldAllow, mode, reason, identity };
}

export function judgeFamily(
  role: CompiledRole,
  { families }: Pick<Binding, 'families'>,
  family: string,
): FamilyVerdict {
  if (!isDottedName(family)) return { reason: 'family-name' };
  if (role.families === undefined) return { reason: 'no-task-identities' };
  if (families !== undefined && !families.some((glob) => glob.matches(family))) return { reason: 'binding-family' };
  const entry = role.families.find(({ globs }) => globs.some((glob) => glob.matches(family)));
  return entry === undefined ? { reason: 'family' } : { reason: 'task-identity', identity: entry.identity };
}

function refused(reason: TaskReason, mode: TaskDecision['mode']): TaskDecision {
  return { allowed: false, wouldAllow: false, mode, reason };
}
