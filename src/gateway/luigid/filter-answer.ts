import type { JsonValue } from '#core/json.ts';
import { escapedHtml, type Fields, isObject, listOf, objectOf, taskOf, tasksOf } from './answer-parts.ts';
import type { AnswerView } from './answer-view.ts';
import { publicParameters } from './public-parameters.ts';
import type { Arguments } from './strict-arguments.ts';
import { visibleResources, visibleWorkers } from './visible-workers.ts';

type Filter = (answer: JsonValue, view: AnswerView) => JsonValue;

/** Longest lists that people get; luigid's own limit is higher than a browser can show. */
export const MAX_TASKS = 10_000;

/**
 * What each answer shows of other namespaces: nothing, no number either. A method that names its task was authorised by that
 * name before.
 */
const FILTERS: Readonly<Record<string, Filter>> = {
  task_list: taskList,
  task_search: (answer, view) =>
    Object.fromEntries(
      Object.entries(objectOf(answer))
        .map(([status, tasks]) => [status, tasksOf(tasks, view)] as const)
        .filter(([, tasks]) => view.namespaces === 'all' || Object.keys(tasks).length > 0),
    ),
  dep_graph: tasks,
  inverse_dep_graph: tasks,
  graph: tasks,
  worker_list: (answer, view) => visibleWorkers(listOf(answer), view),
  resource_list: (answer, view) => visibleResources(listOf(answer), view),
  fetch_error: failure,
  get_task_status_message: (answer, view) => texts(answer, view, 'statusMessage'),
  get_scheduler_message_response: (answer, view) => texts(answer, view, 'response'),
  re_enable_task: (answer, view) => taskOf(objectOf(answer), view),
};

/** @throws {Problem} `luigid-unavailable` when it is no answer of this method */
export function filterAnswer(method: string, answer: JsonValue, view: AnswerView): JsonValue {
  return FILTERS[method]?.(answer, view) ?? answer;
}

function tasks(answer: JsonValue, view: AnswerView): JsonValue {
  return tasksOf(answer, view);
}

function taskList(answer: JsonValue, view: AnswerView): JsonValue {
  const found = objectOf(answer);
  // Too many: of how many of them are of these namespaces luigid says nothing, which its pages show as unknown.
  if (typeof found['num_tasks'] === 'number') return view.namespaces === 'all' ? found : { num_tasks: -1 };
  return tasksOf(found, view);
}

/** Whether somebody wants to know how many tasks there are rather than which; it changes nothing in what is made of an answer. */
export function wantsCount(method: string, given: Arguments, count: number): boolean {
  if (method !== 'task_list' || given['limit'] === false) return false;
  const most = typeof given['max_shown_tasks'] === 'number' ? given['max_shown_tasks'] : MAX_TASKS;
  return count > Math.max(1, most);
}

/** What luigid tells of a failure is for whoever may see the task; what Luigi hides is not. */
function failure(answer: JsonValue, { hiddenParameters }: AnswerView): JsonValue {
  const found = objectOf(answer);
  if (hiddenParameters || !isObject(found['taskParams'])) return found;
  return { ...found, taskParams: publicParameters(found) };
}

function texts(answer: JsonValue, { forPages }: AnswerView, field: string): JsonValue {
  const found: Fields = objectOf(answer);
  return forPages ? { ...found, [field]: escapedHtml(found[field] ?? null) } : found;
}
