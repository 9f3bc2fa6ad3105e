import type { JsonValue } from '#core/json.ts';
import { MAX_TASKS } from './filter-answer.ts';
import type { LuigidCall } from './luigid-call.ts';

/**
 * The call that luigid is asked for a reading: one for everybody who wants the same of it. How much of the answer is shown is
 * decided here, so that nobody makes luigid write down more than this.
 */
export function canonicalRead({ method, arguments: given }: LuigidCall): LuigidCall {
  const { name } = method;
  if (name === 'task_list') return { method, arguments: taskList(given) };
  if (name === 'dep_graph' || name === 'inverse_dep_graph')
    return { method, arguments: { task_id: given['task_id'] ?? null, include_done: given['include_done'] !== false } };
  if (name === 'worker_list') return { method, arguments: { include_running: given['include_running'] !== false } };
  return { method, arguments: given };
}

function taskList({
  status = '',
  upstream_status: upstream = '',
  search,
}: LuigidCall['arguments']): Record<string, JsonValue> {
  const base = { status, upstream_status: upstream, limit: true, max_shown_tasks: MAX_TASKS };
  return typeof search === 'string' && search.trim() !== '' ? { ...base, search } : base;
}
