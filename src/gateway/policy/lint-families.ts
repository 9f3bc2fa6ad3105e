import type { CompiledFamily, CompiledRole } from './binding.ts';
import { globsCover } from './globs-cover.ts';
import type { Finding, LintRule } from './policy-lint.ts';

/** Tasks that a role may start and that get no token then. */
export const uncoveredFamily: LintRule = ({ roles }) =>
  [...roles].flatMap(([name, { tasks, families }]): Finding[] => {
    const isCovered = families === undefined || globsCover(globsOf(families), tasks);
    if (isCovered === true) return [];
    const message =
      isCovered === false
        ? 'names tasks that no entry of `taskIdentities` names: a run of them is ended when the first asks for its token'
        : 'is too intertwined to tell whether `taskIdentities` names all of it';
    const remedy = 'Add an entry, without `identity` for tasks that need none.';
    const severity = isCovered === false ? 'medium' : 'low';
    return [{ rule: 'uncovered-family', severity, path: ['roles', name, 'tasks'], message, remedy }];
  });

/** Entries that are never reached, because the first that matches counts. */
export const unreachableFamily: LintRule = ({ roles }) =>
  [...roles].flatMap(([name, role]): Finding[] =>
    hidden(role).map((i) => ({
      rule: 'unreachable',
      severity: 'medium',
      path: ['roles', name, 'taskIdentities', i],
      message: 'entries before it name all families that it names',
      remedy: 'Put it before them, or remove it.',
    })),
  );

function hidden({ families = [] }: CompiledRole): number[] {
  return families.flatMap(({ globs }, i) => (i > 0 && globsCover(globsOf(families.slice(0, i)), globs) ? [i] : []));
}

function globsOf(families: readonly CompiledFamily[]) {
  return families.flatMap(({ globs }) => globs);
}
