import type { JsonValue } from '#core/json.ts';
import { Problem } from '../app/problem.ts';
import { readAccessGate } from '../audit/read-access-gate.ts';
import { isInNamespaces, type LuigidPermission, type Namespaces } from '../policy/luigid-access.ts';
import type { AnswerView } from './answer-view.ts';
import { AttemptsPerAddress } from './attempts-per-address.ts';
import { type CallRules, type Denial, denialOf, holderOf, ownerOf } from './authorize-call.ts';
import type { CallFacts, CallRecorder } from './call-recorder.ts';
import { canonicalRead } from './canonical-read.ts';
import { filterAnswer, wantsCount } from './filter-answer.ts';
import type { LuigidCall } from './luigid-call.ts';
import { type LuigidCaller, lineOfCaller } from './luigid-caller.ts';
import { type EncodedView, LuigidReaders } from './luigid-readers.ts';
import type { LuigidUpstream } from './luigid-upstream.ts';
import { workerAnswer } from './worker-answer.ts';
import { WorkerNames } from './worker-names.ts';

export interface CallCollaborators {
  readonly upstream: LuigidUpstream;
  readonly readers: LuigidReaders;
  readonly recorder: CallRecorder;
  readonly rules: CallRules;
  readonly now: () => number;
}

export interface CallAnswer {
  readonly body: Buffer | string;
  /** Whole seconds since luigid said it; absent: now. */
  readonly age?: number | undefined;
}

const NOTHING = '{"response": null}';
/** Of one person and minute: each is two records, and makes everybody read anew. */
const MAX_CHANGES = 300;

/** Makes calls that were read for callers who are known: authorises, asks luigid, and shows what this caller may see. */
export class LuigidCalls {
  readonly #with: CallCollaborators;
  readonly #reads: ReturnType<typeof readAccessGate>;
  readonly #names: WorkerNames;
  readonly #changes = new AttemptsPerAddress(MAX_CHANGES);

  constructor(collaborators: CallCollaborators) {
    this.#with = collaborators;
    this.#reads = readAccessGate(collaborators);
    this.#names = new WorkerNames(collaborators.now);
  }

  /** @throws {Problem} `luigid-denied`, `luigid-unavailable`, `overloaded` @throws {PlumblineError} `ERR_AUDIT_UNAVAILABLE` */
  async answer(call: LuigidCall, caller: LuigidCaller, requestId: string): Promise<CallAnswer> {
    const denial = denialOf(call, caller, this.#with.rules);
    if (denial !== undefined) await this.#denied(denial, call, caller);
    this.#checkName(call, caller);
    const { kind } = call.method;
    if (kind === 'worker') return this.#work(call, caller);
    return kind === 'read' ? this.#read(call, caller, requestId) : this.#change(call, caller, requestId);
  }

  /** @throws {Problem} `overloaded` */
  #checkName({ arguments: { worker: name } }: LuigidCall, caller: LuigidCaller): void {
    if (typeof name !== 'string' || caller.kind === 'person') return;
    if (caller.kind === 'worker' && name === caller.worker.id) return;
    if (this.#names.admit(caller.kind === 'worker' ? caller.worker.role : undefined, name)) return;
    throw new Problem('overloaded', 'Too many workers of other names than were given live at the same time', {
      headers: { 'retry-after': '60' },
    });
  }

  /** Records it; returns when the call may pass all the same. */
  async #denied({ reason, namespace, always }: Denial, { method, arguments: given }: LuigidCall, caller: LuigidCaller) {
    const passes = !always && reports(caller);
    const who = factsOf(caller);
    const data = { ...who, method: method.name, namespace, reason, allowed: passes };
    const worker = caller.kind === 'anonymous' ? { worker: given['worker'] } : {};
    const facts: CallFacts = {
      type: 'dev.plumbline.luigid.refused',
      subject: subjectOf(caller),
      data: { ...data, ...worker },
      who,
    };
    if (passes) return this.#with.recorder.recorded(facts);
    this.#with.recorder.noted(facts);
    throw new Problem('luigid-denied', DETAILS[reason] ?? 'The policy does not allow this call', { reason });
  }

  async #work(call: LuigidCall, caller: LuigidCaller): Promise<CallAnswer> {
    const { upstream, rules } = this.#with;
    const answer = await upstream.call(this.#opened(call, caller));
    if (caller.kind !== 'worker') return this.#anonymousWork(call, caller, answer);
    const sealed = (batch: string) => rules.batches.seal(caller.worker.id, batch);
    const own = workerAnswer(call.method.name, answer, caller.namespaces, sealed);
    if (own.foreign !== undefined)
      await this.#denied({ reason: 'foreign-work', namespace: own.foreign, always: false }, call, caller);
    if (caller.mode === 'enforce' || answer === null) return encoded(own.answer);
    return encoded(workerAnswer(call.method.name, answer, 'all', sealed).answer);
  }

  /** What is of roles that are enforced stays away from those who bring nothing. */
  async #anonymousWork(call: LuigidCall, caller: LuigidCaller, answer: JsonValue): Promise<CallAnswer> {
    const operate = caller.kind === 'worker' ? 'all' : caller.permission.operate;
    const { batches } = this.#with.rules;
    const own = workerAnswer(call.method.name, answer, operate, (batch) => batches.seal(holderOf(call), batch));
    if (own.foreign !== undefined)
      await this.#denied({ reason: 'foreign-work', namespace: own.foreign, always: true }, call, caller);
    return encoded(own.answer);
  }

  /** With luigid's own id of the batch. */
  #opened(call: LuigidCall, caller: LuigidCaller): LuigidCall {
    const batch = call.arguments['batch_id'];
    if (typeof batch !== 'string') return call;
    const holder = caller.kind === 'worker' ? caller.worker.id : holderOf(call);
    const opened = this.#with.rules.batches.open(holder, batch);
    return opened === undefined ? call : { ...call, arguments: { ...call.arguments, batch_id: opened } };
  }

  async #read(call: LuigidCall, caller: LuigidCaller, requestId: string): Promise<CallAnswer> {
    const { upstream, readers } = this.#with;
    const view = this.#viewOf(call, caller);
    if (caller.kind === 'person') await this.#recordRead(caller, requestId);
    const { method, arguments: given } = call;
    const shown = (answer: JsonValue) => filterAnswer(method.name, answer, view);
    // A worker waits for the answer of its own task, and luigid gives those at once.
    if (caller.kind === 'worker' && !method.costly) return encoded(shown(await upstream.call(call)));
    const reading = await readers.read(canonicalRead(call), lineOfCaller(caller));
    const who = JSON.stringify([view.namespaces, view.forPages, view.hiddenParameters]);
    const { body: all, count } = LuigidReaders.view(reading, who, () => encodedView(shown(reading.answer)));
    const body = wantsCount(method.name, given, count) ? encoded({ num_tasks: count }).body : all;
    return { body, age: Math.floor(readers.ageOf(reading)) };
  }

  #viewOf(call: LuigidCall, caller: LuigidCaller): AnswerView {
    const { rules } = this.#with;
    const namespacesOfWorker = (id: string) => {
      const owner = ownerOf(id, rules);
      return owner && rules.namespacesOf(owner.role);
    };
    if (caller.kind === 'worker') {
      const namespaces: Namespaces = caller.mode === 'report' ? 'all' : caller.namespaces;
      return { namespaces, hiddenParameters: true, forPages: false, namespacesOfWorker };
    }
    const { read, operate } = caller.permission;
    const task = call.arguments['task_id'];
    const hiddenParameters = typeof task === 'string' && isInNamespaces(task, operate);
    return { namespaces: read, hiddenParameters, forPages: true, namespacesOfWorker };
  }

  /** One record for a person and a minute. */
  async #recordRead(caller: Extract<LuigidCaller, { kind: 'person' }>, requestId: string): Promise<void> {
    if (!this.#reads.isDue(caller.id, 'luigid')) return;
    const data = { ...factsOf(caller), requestId, route: 'GET /luigid/api' };
    try {
      await this.#with.recorder.append({ type: 'dev.plumbline.read.access', data });
    } catch (error) {
      this.#reads.forget(caller.id, 'luigid');
      throw error;
    }
  }

  async #change(call: LuigidCall, caller: LuigidCaller, requestId: string): Promise<CallAnswer> {
    const { upstream, readers, recorder } = this.#with;
    const view = this.#viewOf(call, caller);
    const shown = (answer: JsonValue) => encoded(filterAnswer(call.method.name, answer, view));
    if (call.method.name === 'get_scheduler_message_response') return shown(await upstream.call(call));
    if (this.#changes.add(lineOfCaller(caller), this.#with.now()))
      throw new Problem('rate-limited', 'There are too many changes by this person', {
        headers: { 'retry-after': '60' },
      });
    const { task_id: taskId, task, worker, resource } = call.arguments;
    const what = { method: call.method.name, taskId: taskId ?? task, worker, resource };
    // A worker is known by its own id.
    const data = { ...what, ...factsOf(caller), requestId };
    await recorder.append({ type: 'dev.plumbline.luigid.change.intent', data });
    const outcome = (result: string, errorCode?: string) =>
      recorder.append({ type: 'dev.plumbline.luigid.change.outcome', data: { ...data, result, errorCode } });
    try {
      const answer = shown(await upstream.call(call));
      await outcome('ok');
      return answer;
    } catch (error) {
      // Whether luigid has done it is not known.
      if (error instanceof Problem) await outcome('failed', error.code);
      throw error;
    } finally {
      readers.expire();
    }
  }
}

const DETAILS: Readonly<Record<string, string>> = {
  method: 'This caller may not call this method of luigid',
  worker: "The worker's id is not this caller's",
  assistant: 'Assistants, which take tasks of everybody, do not work through this gateway',
  namespace: 'The call names a task of a namespace that is not this caller’s',
  family: "The task's id is not one of its family",
  batch: 'The batch is not one that this worker was given',
  'foreign-work': 'luigid would give this worker a task of a namespace that is not its own',
  'no-credential': 'The call brings no credential',
};

function reports(caller: LuigidCaller): boolean {
  return caller.kind === 'anonymous' || (caller.kind === 'worker' && caller.mode === 'report');
}

function subjectOf(caller: LuigidCaller): string | undefined {
  return caller.kind === 'worker' ? caller.worker.runId : undefined;
}

function factsOf(caller: LuigidCaller): Record<string, JsonValue | undefined> {
  if (caller.kind === 'worker') {
    const { worker, mode, policy, binding } = caller;
    const { issuer, subject } = worker.caller;
    return { worker: worker.id, caller: { issuer, subject }, role: worker.role, mode, policy, binding };
  }
  const { policy, rules }: LuigidPermission = caller.permission;
  if (caller.kind === 'person') return { caller: caller.facts, policy, rules };
  return { address: caller.address, binding: caller.binding, mode: 'report', policy };
}

function encoded(answer: JsonValue): CallAnswer {
  return { body: answer === null ? NOTHING : `{"response": ${JSON.stringify(answer)}}` };
}

function encodedView(answer: JsonValue): EncodedView {
  const count = typeof answer === 'object' && answer !== null ? Object.keys(answer).length : 0;
  return { body: Buffer.from(encoded(answer).body), count };
}
