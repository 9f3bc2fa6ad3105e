import type { JsonValue } from '#core/json.ts';
import { isInNamespaces, type LuigidPermission, type Namespaces } from '../policy/luigid-access.ts';
import type { Workers } from '../workers/worker.ts';
import { infoOf } from './argument-checks.ts';
import type { BatchSeal } from './batch-seal.ts';
import type { LuigidCall } from './luigid-call.ts';
import type { LuigidCaller } from './luigid-caller.ts';
import type { ArgumentKind } from './luigid-methods.ts';

/** Why a call is not for this caller. */
export interface Denial {
  /** `method`, `worker`, `assistant`, `namespace`, `family`, `batch`, `foreign-work`, `no-credential`. */
  readonly reason: string;
  readonly namespace?: string | undefined;
  /** Also where a binding only reports: it would touch somebody else who is enforced. */
  readonly always: boolean;
}

/** What the rules ask. */
export interface CallRules {
  readonly workers: Pick<Workers, 'find'>;
  readonly namespacesOf: (role: string) => readonly string[];
  readonly batches: BatchSeal;
}

const SUFFIX = /^:[A-Za-z0-9._-]{1,64}$/;

/** The first reason against a call; `undefined`: it is the caller's to make. */
export function denialOf(call: LuigidCall, caller: LuigidCaller, rules: CallRules): Denial | undefined {
  if (call.arguments['assistant'] === true) return denied('assistant', true);
  if (caller.kind === 'worker') return denialOfWorker(call, caller, rules);
  if (caller.kind === 'person') return denialOfPerson(call, caller.permission, rules);
  return denialOfAnonymous(call, caller.permission, rules);
}

type WorkerCaller = Extract<LuigidCaller, { kind: 'worker' }>;

function denialOfWorker(call: LuigidCall, caller: WorkerCaller, rules: CallRules): Denial | undefined {
  const { method, arguments: given } = call;
  if (method.kind !== 'worker' && method.kind !== 'read') return denied('method');
  for (const [name, { kind }] of method.arguments) {
    const value = given[name];
    if (kind !== 'worker' || typeof value !== 'string' || isOwn(value, caller.worker.id)) continue;
    // Somebody's else, who lives: nobody may speak for it, whatever is reported only.
    return denied('worker', ownerOf(value, rules) !== undefined);
  }
  const batch = given['batch_id'];
  if (typeof batch === 'string' && rules.batches.open(caller.worker.id, batch) === undefined) return denied('batch');
  return denialOfNames(call, caller.namespaces);
}

function denialOfPerson(call: LuigidCall, permission: LuigidPermission, rules: CallRules): Denial | undefined {
  const { kind } = call.method;
  if (kind === 'worker' || (kind === 'admin' && !permission.admin)) return denied('method', true);
  const namespaces = kind === 'read' ? permission.read : permission.operate;
  if (kind === 'operate' && namespaces !== 'all' && namespaces.length === 0) return denied('method', true);
  const worker = call.arguments['worker'];
  if (typeof worker === 'string' && !mayChange(worker, namespaces, rules)) return denied('worker', true);
  const foreign = denialOfNames(call, namespaces);
  return foreign && { ...foreign, always: true };
}

/** Enforcement would refuse every call of somebody who brings nothing; tasks of roles that are enforced are none of theirs now. */
function denialOfAnonymous(call: LuigidCall, { operate }: LuigidPermission, rules: CallRules): Denial | undefined {
  const { kind } = call.method;
  if (kind === 'operate' || kind === 'admin') return denied('method', true);
  const { worker, batch_id: batch } = call.arguments;
  if (typeof worker === 'string' && ownerOf(worker, rules) !== undefined) return denied('worker', true);
  const isForeignBatch = typeof batch === 'string' && rules.batches.open(holderOf(call), batch) === undefined;
  if (isForeignBatch) return denied('batch', true);
  const foreign = denialOfNames(call, operate);
  return foreign === undefined ? denied('no-credential', false, firstNamespaceOf(call)) : { ...foreign, always: true };
}

/** Who holds a batch that somebody got who brings nothing: whoever says that it is this worker. It is the name of none that lives. */
export function holderOf({ arguments: { worker } }: LuigidCall): string {
  return `anonymous ${typeof worker === 'string' ? worker : ''}`;
}

/** Whose namespaces are all within somebody's: others know of it what that somebody may not. */
function mayChange(workerId: string, namespaces: Namespaces, rules: CallRules): boolean {
  if (namespaces === 'all') return true;
  const owner = ownerOf(workerId, rules);
  return owner !== undefined && areWithin(rules.namespacesOf(owner.role), namespaces);
}

/** @param some without `all` */
export function areWithin(some: readonly string[], namespaces: Namespaces): boolean {
  // A family of the namespace itself stands for it.
  return some.length > 0 && some.every((one) => isInNamespaces(one === '' ? 'T' : `${one}.T`, namespaces));
}

/** The worker that lives under an id, or of which this id is a part. */
export function ownerOf(workerId: string, { workers }: Pick<CallRules, 'workers'>): ReturnType<Workers['find']> {
  const end = workerId.indexOf(':');
  return workers.find(end === -1 ? workerId : workerId.slice(0, end));
}

function isOwn(workerId: string, own: string): boolean {
  return workerId === own || (workerId.startsWith(own) && SUFFIX.test(workerId.slice(own.length)));
}

function denialOfNames(call: LuigidCall, namespaces: Namespaces): Denial | undefined {
  if (!familyAgrees(call)) return denied('family');
  if (namespaces === 'all') return undefined;
  const foreign = firstName(call, (name) => !isInNamespaces(name, namespaces));
  return foreign === undefined ? undefined : denied('namespace', false, namespaceOf(foreign));
}

/** A task's id begins with its family, and what follows has no dot: else it would be in another namespace than its family. */
function familyAgrees({ method, arguments: { task_id: id, family } }: LuigidCall): boolean {
  if (method.name !== 'add_task' || typeof id !== 'string' || typeof family !== 'string' || family === '') return true;
  return id.startsWith(`${family}_`) && !id.includes('.', family.length);
}

function firstNamespaceOf(call: LuigidCall): string | undefined {
  const name = firstName(call, () => true);
  return name === undefined ? undefined : namespaceOf(name);
}

/** The first name of a task or family in the arguments that is as asked. */
function firstName({ method, arguments: given }: LuigidCall, is: (name: string) => boolean): string | undefined {
  for (const [argument, { kind }] of method.arguments) {
    const found = namesIn(kind, given[argument]).find(is);
    if (found !== undefined) return found;
  }
  return undefined;
}

const NONE: readonly string[] = [];

function namesIn(kind: ArgumentKind, value: JsonValue | undefined): readonly string[] {
  if (kind === 'tasks') return (value as readonly string[] | null | undefined) ?? NONE;
  if (kind === 'info') return firstTasksOf(value ?? null);
  const isName = kind === 'task' || kind === 'family';
  // An empty family says nothing: the task's id does.
  return isName && typeof value === 'string' && value !== '' ? [value] : NONE;
}

/** Pairs may say it more than once, and luigid keeps the last. */
function firstTasksOf(info: JsonValue): readonly string[] {
  return infoOf(info).flatMap(([name, task]) => (name === 'first_task' && typeof task === 'string' ? [task] : NONE));
}

export function namespaceOf(name: string): string {
  return name.slice(0, Math.max(0, name.lastIndexOf('.')));
}

function denied(reason: string, always = false, namespace?: string): Denial {
  return { reason, always, namespace };
}
