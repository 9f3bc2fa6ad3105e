import { neutralise } from '#core/neutralise.ts';
import { oneLine } from '#core/task-name.ts';
import type { LoadedPolicy } from './loaded-policy.ts';
import type { Decision } from './policy.ts';
import type { TaskDecision } from './task-identity.ts';

/** Why a task has the identity that it has. */
export interface TaskExplanation {
  readonly family: string;
  readonly decision: TaskDecision;
  /** What was asked in turn: the families of the binding, then each entry of the role. */
  readonly rows: readonly TaskRow[];
}

export interface TaskRow {
  /** `taskFamilies` of the binding, or the number of the role's entry: `taskIdentities[0]`. */
  readonly field: string;
  readonly globs: readonly string[];
  readonly matched: boolean;
}

const MAX_FAMILY = 120;

/** What a policy says of a task of a run that it has decided about, with everything that was compared. */
export function explainTask(policy: LoadedPolicy, decision: Decision, family: string): TaskExplanation {
  const { roles, bindingNamed } = policy.parts;
  const families = bindingNamed.get(decision.binding ?? '')?.families;
  const entries = roles.get(decision.role?.name ?? '')?.families ?? [];
  const lists = [
    ...(families === undefined ? [] : [{ field: 'taskFamilies', globs: families }]),
    ...entries.map(({ globs }, i) => ({ field: `taskIdentities[${i}]`, globs })),
  ];
  return {
    family,
    decision: policy.decideTask(decision, family),
    rows: lists.map(({ field, globs }) => ({
      field,
      globs: globs.map(({ pattern }) => pattern),
      matched: globs.some((glob) => glob.matches(family)),
    })),
  };
}

/** The explanation as text. */
export function formatTaskExplanation({ family, decision, rows }: TaskExplanation): string {
  const width = Math.max(0, ...rows.map(({ field }) => field.length));
  const name = neutralise(oneLine(family.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' '), MAX_FAMILY));
  return [
    `task ${name}: ${verdict(decision)}`,
    ...rows.map(
      ({ field, globs, matched }) => `    ${matched ? 'yes' : 'no '}  ${field.padEnd(width)}  like ${globs.join(', ')}`,
    ),
  ].join('\n');
}

function verdict({ allowed, wouldAllow, mode, reason, identity }: TaskDecision): string {
  if (!allowed)
    return `no token (${reason})${mode === 'report' ? ', and it runs without: the binding only reports' : ''}`;
  const who = identity === undefined ? 'a token without an identity' : `a token as ${identity.name}`;
  return wouldAllow ? who : `${who}, because the binding only reports`;
}
