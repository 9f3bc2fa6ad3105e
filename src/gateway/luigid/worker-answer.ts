import type { JsonValue } from '#core/json.ts';
import { isInNamespaces, type Namespaces } from '../policy/luigid-access.ts';
import { type Fields, isObject, listOf, objectOf, only } from './answer-parts.ts';
import { namespaceOf } from './authorize-call.ts';

/** What a worker is told, and the namespace of work that is not its own. */
export interface WorkerAnswer {
  readonly answer: JsonValue;
  readonly foreign?: string | undefined;
}

const COUNTS = ['n_pending_tasks', 'n_unique_pending', 'n_pending_last_scheduled', 'worker_state'] as const;
const WORK = ['task_id', 'task_family', 'task_module', 'task_params'] as const;
const BATCH = ['batch_id', 'batch_task_ids'] as const;
/** Of another worker that runs a task of this one. */
const OTHER = ['task_id', 'worker', 'host', 'username', 'workers', 'pid'] as const;
/** What luigid asks of a worker. */
const MESSAGES = new Set<JsonValue | undefined>(['set_worker_processes', 'dispatch_scheduler_message']);

/** @param sealed makes the id of a batch one that only this worker can use */
export function workerAnswer(
  method: string,
  answer: JsonValue,
  namespaces: Namespaces,
  sealed: (batchId: string) => string,
): WorkerAnswer {
  if (method === 'get_work') return workOf(objectOf(answer), namespaces, sealed);
  if (method === 'count_pending')
    return { answer: { ...only(objectOf(answer), COUNTS), ...running(answer, namespaces) } };
  if (method === 'ping') return { answer: { rpc_messages: messagesOf(objectOf(answer)) } };
  // The others return nothing.
  return { answer: null };
}

function workOf(work: Fields, namespaces: Namespaces, sealed: (batchId: string) => string): WorkerAnswer {
  const names = [work['task_id'], work['task_family'], ...batchOf(work)];
  const foreign = names.find((name) => typeof name === 'string' && name !== '' && !isInNamespaces(name, namespaces));
  const { batch_id: batch } = work;
  const answer = {
    ...only(work, [...COUNTS, ...WORK, ...BATCH]),
    ...running(work, namespaces),
    ...(typeof batch === 'string' && { batch_id: sealed(batch) }),
  };
  return { answer, foreign: typeof foreign === 'string' ? namespaceOf(foreign) : undefined };
}

function batchOf({ batch_task_ids: ids }: Fields): readonly JsonValue[] {
  return ids === undefined ? [] : listOf(ids);
}

function running(answer: JsonValue, namespaces: Namespaces): { readonly running_tasks: JsonValue } {
  const tasks = listOf(objectOf(answer)['running_tasks']).map(objectOf);
  const own = tasks.filter(({ task_id: id }) => typeof id === 'string' && isInNamespaces(id, namespaces));
  return { running_tasks: own.map((task) => only(task, OTHER)) };
}

function messagesOf({ rpc_messages: messages }: Fields): JsonValue {
  return listOf(messages)
    .filter((message) => isObject(message) && MESSAGES.has(message['name']) && isObject(message['kwargs']))
    .map((message) => only(objectOf(message), ['name', 'kwargs']));
}
