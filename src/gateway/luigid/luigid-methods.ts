/**
 * What an argument is. The ones that name something decide who may make a call: `worker` a worker's id, `task` and `tasks`
 * ids of tasks, `family` a family.
 */
export type ArgumentKind =
  | 'worker'
  | 'task'
  | 'tasks'
  | 'family'
  | 'text'
  | 'words'
  | 'texts'
  | 'flag'
  | 'number'
  | 'count'
  | 'name'
  | 'status'
  | 'url'
  | 'amounts'
  | 'parameters'
  | 'visibilities'
  | 'retries'
  | 'info'
  | 'json';

/** Who calls it: workers; everybody who may look; people who may change single tasks and workers; who may change luigid itself. */
export type MethodKind = 'worker' | 'read' | 'operate' | 'admin';

export interface ArgumentRule {
  readonly kind: ArgumentKind;
  /** May be `null`, as Luigi sends what nobody has set. */
  readonly nullable: boolean;
}

/** A method of luigid that may be called through the gateway. */
export interface LuigidMethod {
  readonly name: string;
  readonly kind: MethodKind;
  /** In the order in which they are sent on. */
  readonly arguments: ReadonlyMap<string, ArgumentRule>;
  readonly required: readonly string[];
  /** It looks at every task that luigid has: one reader asks it, whoever wants to know. */
  readonly costly: boolean;
  /** Its arguments are names of the caller's choice. */
  readonly free: boolean;
}

/** `!` must be there, `?` may be `null`. */
type Rules = Readonly<Record<string, `${ArgumentKind}${'' | '!' | '?'}`>>;

const TASK: Rules = { task_id: 'task!' };

/**
 * Every method of luigid 3.6 to 3.8 with its arguments, except `update_metrics_task_started`, which Luigi calls inside luigid
 * only. What is not here does not exist.
 */
const WORKER: Readonly<Record<string, Rules>> = {
  add_task: {
    task_id: 'task!',
    status: 'status',
    runnable: 'flag?',
    deps: 'tasks?',
    new_deps: 'tasks?',
    expl: 'json?',
    resources: 'amounts?',
    priority: 'number',
    family: 'family?',
    module: 'text?',
    params: 'parameters?',
    param_visibilities: 'visibilities?',
    accepts_messages: 'flag?',
    assistant: 'flag',
    tracking_url: 'url?',
    worker: 'worker!',
    batchable: 'flag?',
    batch_id: 'name?',
    retry_policy_dict: 'retries?',
    owners: 'texts?',
  },
  add_task_batcher: { worker: 'worker!', task_family: 'family!', batched_args: 'texts!', max_batch_size: 'number?' },
  add_worker: { worker: 'worker!', info: 'info!' },
  announce_scheduling_failure: {
    task_name: 'text!',
    family: 'family!',
    params: 'parameters?',
    expl: 'json?',
    owners: 'texts?',
    worker: 'worker!',
  },
  get_work: { host: 'text?', assistant: 'flag', current_tasks: 'tasks?', worker: 'worker!' },
  ping: { worker: 'worker!' },
  count_pending: { worker: 'worker!' },
  set_task_status_message: { task_id: 'task!', status_message: 'text?' },
  set_task_progress_percentage: { task_id: 'task!', progress_percentage: 'number?' },
  decrease_running_task_resources: { task_id: 'task!', decrease_resources: 'amounts!' },
  report_task_statistics: { task_id: 'task!', statistics: 'json?' },
  add_scheduler_message_response: { task_id: 'task!', message_id: 'name!', response: 'json?' },
};

const READ: Readonly<Record<string, Rules>> = {
  fetch_error: TASK,
  get_task_status_message: TASK,
  get_task_progress_percentage: TASK,
  get_running_task_resources: TASK,
  has_task_history: {},
  is_pause_enabled: {},
  is_paused: {},
};

const COSTLY: Readonly<Record<string, Rules>> = {
  task_list: {
    status: 'status',
    upstream_status: 'status',
    limit: 'flag',
    search: 'words?',
    max_shown_tasks: 'count?',
  },
  task_search: { task_str: 'words!' },
  dep_graph: { task_id: 'task!', include_done: 'flag' },
  inverse_dep_graph: { task_id: 'task!', include_done: 'flag' },
  graph: {},
  worker_list: { include_running: 'flag' },
  resource_list: {},
};

const OPERATE: Readonly<Record<string, Rules>> = {
  forgive_failures: TASK,
  mark_as_done: TASK,
  re_enable_task: TASK,
  disable_worker: { worker: 'worker!' },
  set_worker_processes: { worker: 'worker!', n: 'count!' },
  send_scheduler_message: { worker: 'worker!', task: 'task!', content: 'text!' },
  get_scheduler_message_response: { task_id: 'task!', message_id: 'name!' },
};

const ADMIN: Readonly<Record<string, Rules>> = {
  pause: {},
  unpause: {},
  prune: {},
  update_resource: { resource: 'text!', amount: 'count!' },
  update_resources: {},
};

export const LUIGID_METHODS: ReadonlyMap<string, LuigidMethod> = new Map(
  (
    [
      ['worker', WORKER, false],
      ['read', READ, false],
      ['read', COSTLY, true],
      ['operate', OPERATE, false],
      ['admin', ADMIN, false],
    ] as const
  ).flatMap(([kind, methods, costly]) =>
    Object.entries(methods).map(([name, rules]) => [name, methodOf(name, kind, rules, costly)] as const),
  ),
);

function methodOf(name: string, kind: MethodKind, rules: Rules, costly: boolean): LuigidMethod {
  const entries = Object.entries(rules).map(
    ([argument, rule]) =>
      [argument, { kind: rule.replace(/[!?]$/, '') as ArgumentKind, nullable: rule.endsWith('?') }] as const,
  );
  const required = Object.keys(rules).filter((argument) => rules[argument]?.endsWith('!'));
  return { name, kind, arguments: new Map(entries), required, costly, free: name === 'update_resources' };
}
