import type { JsonValue } from '#core/json.ts';
import { isInNamespaces } from '../policy/luigid-access.ts';
import { type Fields, isObject, objectOf, only, tasksOf } from './answer-parts.ts';
import type { AnswerView } from './answer-view.ts';
import { areWithin } from './authorize-call.ts';

const OF_WORKER = [
  'name',
  'last_active',
  'started',
  'state',
  'salt',
  'workers',
  'host',
  'username',
  'pid',
  'sudo_user',
  'num_unread_rpc_messages',
] as const;
const OF_ITS_ROOT = ['first_task', 'first_task_display_name'] as const;
const COUNTS = ['num_pending', 'num_uniques'] as const;

/** Workers whose first task, or a task that they run, is of these namespaces. What they do for others is left out. */
export function visibleWorkers(workers: readonly JsonValue[], view: AnswerView): JsonValue {
  const all = workers.map(objectOf);
  if (view.namespaces === 'all') return all.map((worker) => withRunning(worker, tasksRunning(worker, view)));
  return all.flatMap((worker) => visibleWorker(worker, view) ?? []);
}

function visibleWorker(worker: Fields, view: AnswerView): Fields | undefined {
  const { first_task: root, name } = worker;
  const isOwnRoot = typeof root === 'string' && root !== '' && isInNamespaces(root, view.namespaces);
  const running = tasksRunning(worker, view);
  if (!isOwnRoot && Object.keys(running ?? {}).length === 0) return undefined;
  const namespaces = (typeof name === 'string' && view.namespacesOfWorker(name)) || [];
  const isAllOwn = view.namespaces !== 'all' && areWithin(namespaces, view.namespaces);
  const shown = only(worker, [...OF_WORKER, ...(isOwnRoot ? OF_ITS_ROOT : []), ...(isAllOwn ? COUNTS : [])]);
  return withRunning(isOwnRoot ? shown : { ...shown, first_task_display_name: '' }, running);
}

function tasksRunning({ running }: Fields, view: AnswerView): Fields | undefined {
  return isObject(running) ? tasksOf(running, view) : undefined;
}

function withRunning(worker: Fields, running: Fields | undefined): Fields {
  return running === undefined ? worker : { ...worker, running, num_running: Object.keys(running).length };
}

/** How much of each resource there is, and how much of it tasks of these namespaces use. */
export function visibleResources(resources: readonly JsonValue[], view: AnswerView): JsonValue {
  const { namespaces } = view;
  return resources.map((resource) => {
    const known = objectOf(resource);
    if (!isObject(known['running'])) return namespaces === 'all' ? known : only(known, ['name', 'num_total']);
    const running = tasksOf(known['running'], view);
    const counted = { ...known, running, num_consumer: Object.keys(running).length };
    if (namespaces === 'all') return counted;
    // Names as luigid has them.
    const named = tasksOf(known['running'], { namespaces, forPages: false });
    return { ...counted, num_used: usedBy(named, known['name']) };
  });
}

function usedBy(running: Fields, name: JsonValue | undefined): number {
  return Object.values(running).reduce<number>((sum, task) => {
    const { resources_running: now, resources: wanted } = objectOf(task);
    const amounts = isObject(now) ? now : wanted;
    const amount = isObject(amounts) && typeof name === 'string' ? amounts[name] : undefined;
    return sum + (typeof amount === 'number' ? amount : 0);
  }, 0);
}
