import { evaluate } from './expression-evaluate.ts';
import type { ExpressionFunction } from './expression-functions.ts';
import { ExpressionError, toText, truthy, type Value, type ValueMap } from './expression-value.ts';
import type { TaskResult } from './task-result.ts';
import type { Variable } from './variable-store.ts';

/** How a job or stage ended and what it put out, for those that depend on it. */
export interface DependencyOutcome {
  readonly result: TaskResult;
  readonly outputs: Readonly<Record<string, string>>;
}

const GOOD: readonly TaskResult[] = ['Succeeded', 'SucceededWithIssues'];

function status(max: number, call: (...names: string[]) => boolean): ExpressionFunction {
  return { min: 0, max, call: (args) => call(...args.map((arg) => toText(arg()))) };
}

export function variableValues(variables: readonly Variable[]): ValueMap {
  return Object.fromEntries(variables.map(({ name, value }) => [name, value]));
}

/** A step's condition (default `succeeded()`) under the job's present status. @throws ExpressionError */
export function stepCondition(
  condition: string | undefined,
  jobStatus: TaskResult,
  variables: readonly Variable[],
): boolean {
  const functions = {
    always: status(0, () => true),
    canceled: status(0, () => jobStatus === 'Canceled'),
    failed: status(0, () => jobStatus === 'Failed'),
    succeeded: status(0, () => GOOD.includes(jobStatus)),
    succeededorfailed: status(0, () => jobStatus !== 'Canceled' && jobStatus !== 'Skipped'),
  };
  return truthy(evaluate(condition || 'succeeded()', { values: { variables: variableValues(variables) }, functions }));
}

export interface DependencyScope {
  readonly cancelled: boolean;
  /** Everything in the dependency graph before it, by name. */
  readonly before: ReadonlyMap<string, DependencyOutcome>;
  readonly values: Readonly<Record<string, Value>>;
}

/** A job's or stage's condition (default `succeeded()`) from what it depends on. @throws ExpressionError */
export function dependencyCondition(condition: string | undefined, scope: DependencyScope): boolean {
  return truthy(evaluate(condition || 'succeeded()', { values: scope.values, functions: dependencyFunctions(scope) }));
}

function dependencyFunctions({ cancelled, before }: DependencyScope): Record<string, ExpressionFunction> {
  const chosen = (names: readonly string[]) =>
    (names.length === 0 ? [...before.values()] : names.map((name) => known(before, name))).map(({ result }) => result);
  const good = (result: TaskResult) => GOOD.includes(result);
  const any = Number.POSITIVE_INFINITY;
  return {
    always: status(0, () => true),
    canceled: status(0, () => cancelled),
    failed: status(any, (...names) => chosen(names).includes('Failed')),
    succeeded: status(any, (...names) => !cancelled && chosen(names).every(good)),
    succeededorfailed: status(
      any,
      (...names) => !cancelled && chosen(names).every((result) => good(result) || result === 'Failed'),
    ),
  };
}

function known(before: ReadonlyMap<string, DependencyOutcome>, name: string): DependencyOutcome {
  const outcome = before.get(name);
  if (!outcome) throw new ExpressionError(`'${name}' is no dependency`);
  return outcome;
}

/** `dependencies.X.result` and `dependencies.X.outputs['…']`. */
export function dependencyValues(outcomes: ReadonlyMap<string, DependencyOutcome>): ValueMap {
  return Object.fromEntries([...outcomes].map(([name, { result, outputs }]) => [name, { result, outputs }]));
}
