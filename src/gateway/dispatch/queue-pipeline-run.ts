import type { QueueAnswer } from '#azure-devops/pipeline-answers.ts';
import { asPlumblineError, PlumblineError } from '#core/errors.ts';
import type { Secret } from '#core/secret.ts';
import type { AuditData } from '../audit/audit-types.ts';
import { persistently } from '../runs/run-context.ts';
import { auditedCaller } from '../runs/run-journal.ts';
import { auditedDispatch, auditedPipelineRun, decideDispatch, isPermit } from './dispatch-admission.ts';
import type { DispatchContext, DispatchResult, PipelineConnection } from './dispatch-context.ts';
import { keptError, pipelineDenied, pipelineUnknown, type RefusalWord, refused } from './dispatch-errors.ts';
import { type FoundRun, findQueuedRun } from './find-queued-run.ts';
import { pipelineContext } from './pipeline-context.ts';
import { parameterTexts } from './pipeline-run-request.ts';
import type { StoredPipelineRun } from './pipeline-run-row.ts';

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;

/**
 * Brings a pipeline run on its way, from wherever it stands: until it is queued in Azure DevOps and on record, or has ended.
 * Each request is on record before it is sent. After a request nobody knows the end of, nothing is sent before it is known that
 * it queued nothing; where that cannot be known it stays unknown.
 *
 * @returns the run as it is then: followed from now on, or closed; `undefined`: it is gone
 */
export async function queuePipelineRun(context: DispatchContext, id: string): Promise<StoredPipelineRun | undefined> {
  for (;;) {
    context.closing.throwIfAborted();
    const run = await persistently(context, () => context.runs.find(id));
    if (run === undefined || run.phase === 'following' || run.phase === 'closed') return run;
    await STEPS[run.phase](context, run);
    context.watchers.changed(id);
  }
}

type Step = (context: DispatchContext, run: StoredPipelineRun) => Promise<unknown>;

const STEPS: Readonly<Record<Exclude<StoredPipelineRun['phase'], 'following' | 'closed'>, Step>> = {
  waiting: intend,
  intended: (context, run) => context.inTurn(run.record.organization, run.record.scope, () => send(context, run)),
  sending: (context, run) => lost(context, run, 'the gateway ended meanwhile', context.times.settleMs),
  looking: look,
  answered: confirm,
  ended: close,
};

/** A further request, on record before it is sent. */
async function intend(context: DispatchContext, run: StoredPipelineRun): Promise<unknown> {
  const { clock, closing, runs, journal } = context;
  const { id } = run.record;
  if (isTooLate(context, run)) return tooLate(context, run);
  await clock.sleep(Math.max(0, (run.retryAt ?? 0) - clock.now()), closing);
  await journal.record('dispatch.queue.intent', id, factsOf(run));
  return persistently(context, () => runs.intended(id));
}

/** Nobody expects it any more; it was never sent, or is known not to be queued. */
function isTooLate({ clock, times }: DispatchContext, { record, retryAt = 0 }: StoredPipelineRun): boolean {
  return Math.max(clock.now(), retryAt) > record.createdAt + times.queueWithinMs;
}

function tooLate(context: DispatchContext, run: StoredPipelineRun): Promise<unknown> {
  return refuse(context, run, 'unavailable', run.record.problem ?? 'it could not be sent in time');
}

/** Decided once more, then sent. */
async function send(context: DispatchContext, run: StoredPipelineRun): Promise<unknown> {
  const { policy, clock, connect, closing, runs } = context;
  closing.throwIfAborted();
  // The gateway was away, or others came first.
  if (isTooLate(context, run)) return tooLate(context, run);
  const { caller, request, record } = run;
  if (caller === undefined || request === undefined) throw new TypeError('A pipeline run is sent without its request');
  const decision = decideDispatch(policy(), caller, request, clock.now());
  if (!isPermit(decision)) {
    await context.journal.record('dispatch.denied', record.id, {
      ...factsOf(run),
      ...auditedDispatch(decision),
      errorCode: 'ERR_PIPELINE_DENIED',
    });
    return endWith(context, run, pipelineDenied(record, decision), 'denied');
  }
  const connection = connect(record.organization, record.project);
  if (connection === undefined)
    return refuse(context, run, 'not-configured', 'the configuration has no such organization');
  const values = {
    ...parameterTexts(request.templateParameters),
    ...(run.contextParameter !== undefined && {
      [run.contextParameter]: pipelineContext(record.id, caller, request),
    }),
  };
  let token: Secret;
  try {
    token = await connection.api.authorize(closing);
  } catch (thrown) {
    return unauthorized(context, run, thrown);
  }
  const { id, project, pipeline, ref } = record;
  if (!(await persistently(context, () => runs.sending(id, clock.now())))) return undefined;
  const answer = await connection.api.queue({ project, pipeline, ref, templateParameters: values }, token, closing);
  return answered(context, run, answer, connection);
}

/** Without a token nothing was sent. A refusal is a security signal and ends it; what may pass is tried again. */
function unauthorized(context: DispatchContext, run: StoredPipelineRun, thrown: unknown): Promise<unknown> {
  context.closing.throwIfAborted();
  const error = asPlumblineError(thrown);
  if (error.family === 'transient') return later(context, run, error.code);
  const message = error.remedy === undefined ? error.message : `${error.message}. ${error.remedy}`;
  return refuse(context, run, 'identity', message);
}

async function answered(
  context: DispatchContext,
  run: StoredPipelineRun,
  answer: QueueAnswer,
  { identity }: PipelineConnection,
): Promise<unknown> {
  const { runs, clock, times } = context;
  if (answer.kind === 'queued') return persistently(context, () => runs.answered(run.record.id, answer, clock.now()));
  if (answer.kind === 'refused') {
    const error = refused(run.record, answer.reason, answer.message, identity);
    return endWith(context, run, error, 'refused');
  }
  if (answer.kind === 'later') return later(context, run, answer.why, answer.afterMs);
  return lost(context, run, answer.why, answer.finished ? times.answeredSettleMs : times.settleMs);
}

/** Nothing was queued: once more, when Azure DevOps says or a little later each time. */
async function later(
  context: DispatchContext,
  run: StoredPipelineRun,
  why: string,
  afterMs?: number,
): Promise<unknown> {
  const pause = afterMs ?? pauseOf(run.attempt);
  await outcome(context, run, 'not-queued', { reason: why });
  const at = context.clock.now() + pause;
  return persistently(context, () => context.runs.retry(run.record.id, at, `Azure DevOps does not take it: ${why}`));
}

/** Nobody knows whether it was queued. */
async function lost(context: DispatchContext, run: StoredPipelineRun, why: string, settleMs: number): Promise<unknown> {
  const { runs, clock } = context;
  await outcome(context, run, 'ambiguous', { reason: why });
  if (run.contextParameter === undefined)
    return unknown(context, run, `${why}, and it has no context parameter by which its run could be found`);
  const problem = `it is looked up whether it was queued: ${why}`;
  return persistently(context, () => runs.looking(run.record.id, clock.now() + settleMs, problem));
}

/** Reads back until it is found, or nothing of the request can be under way any more. */
async function look(context: DispatchContext, run: StoredPipelineRun): Promise<unknown> {
  const { clock, closing, runs, times } = context;
  const { record, settlesAt = 0 } = run;
  // By what is slept here and not by the clock, which may be set meanwhile.
  let left = Math.min(Math.max(0, settlesAt - clock.now()), times.settleMs);
  for (let attempt = 1; ; attempt++) {
    const isSettled = left <= 0;
    const found = await lookOnce(context, run);
    if (typeof found === 'object')
      return persistently(context, () => runs.answered(record.id, { runId: found.id, name: found.name }, clock.now()));
    if (found === 'given up' || (found === 'undecided' && isSettled)) return unknown(context, run, HIDDEN);
    if (found === 'absent' && isSettled) return absent(context, run);
    const pause = Math.min(pauseOf(attempt), Math.max(FIRST_PAUSE_MS / 4, left));
    await clock.sleep(pause, closing);
    left -= pause;
  }
}

/** What cannot be read now is tried again, for a day. */
async function lookOnce(context: DispatchContext, run: StoredPipelineRun): Promise<FoundRun | 'unread' | 'given up'> {
  const { clock, closing, connect, runs, times } = context;
  const { record, contextParameter = '', sentAt = record.createdAt } = run;
  try {
    const api = connect(record.organization, record.project)?.api;
    if (api === undefined) throw new PlumblineError('ERR_CONFIG_INVALID', 'the configuration has no such organization');
    return await findQueuedRun(api, run, contextParameter, closing);
  } catch (thrown) {
    closing.throwIfAborted();
    if (clock.now() > sentAt + times.giveUpMs) return 'given up';
    const problem = `it cannot be looked up whether it was queued: ${asPlumblineError(thrown).message}`;
    await persistently(context, () => runs.problem(record.id, problem));
    context.watchers.changed(record.id);
    return 'unread';
  }
}

const HIDDEN = 'Azure DevOps does not show which runs were queued since then, or with which parameters';

/** Azure DevOps has no such run: it may be asked again. */
async function absent(context: DispatchContext, run: StoredPipelineRun): Promise<unknown> {
  await outcome(context, run, 'absent');
  const { id } = run.record;
  return persistently(context, () =>
    context.runs.retry(id, context.clock.now(), 'it was not queued by the last request'),
  );
}

/** It is queued: first on record, then with its tags. */
async function confirm(context: DispatchContext, run: StoredPipelineRun): Promise<unknown> {
  const { closing, connect, journal, runs } = context;
  const { organization, project, id } = run.record;
  const pipelineRun = run.azureRun as number;
  await outcome(context, run, run.settlesAt === undefined ? 'queued' : 'adopted');
  let tags: 'set' | 'refused' | 'failed' = 'set';
  try {
    await connect(organization, project)?.api.tag(project, pipelineRun, ['plumbline', `plumbline-${id}`], closing);
  } catch (thrown) {
    closing.throwIfAborted();
    tags = asPlumblineError(thrown).code === 'ERR_PIPELINE_REFUSED' ? 'refused' : 'failed';
  }
  await journal.record('dispatch.tagged', id, { ...auditedPipelineRun(run.record), pipelineRun, result: tags });
  return persistently(context, () => runs.following(id, tags));
}

async function close(context: DispatchContext, run: StoredPipelineRun): Promise<unknown> {
  const { id, state, error } = run.record;
  const facts = { ...auditedPipelineRun(run.record), pipelineRun: run.azureRun, state, errorCode: error?.code };
  await context.journal.record('dispatch.end', id, { ...facts, reason: error?.reason });
  return persistently(context, () => context.runs.close(id));
}

function refuse(
  context: DispatchContext,
  run: StoredPipelineRun,
  reason: RefusalWord,
  message: string,
): Promise<unknown> {
  const identity = context.connect(run.record.organization, run.record.project)?.identity;
  return endWith(context, run, refused(run.record, reason, message, identity), 'refused');
}

function unknown(context: DispatchContext, run: StoredPipelineRun, why: string): Promise<unknown> {
  const error = pipelineUnknown(run.record, why, run.firstSentAt ?? run.record.createdAt);
  return endWith(context, run, error, 'unknown');
}

/** Store before audit: what is known never becomes unknown again; the record is made up for after a restart. */
async function endWith(
  context: DispatchContext,
  run: StoredPipelineRun,
  error: PlumblineError,
  result: 'refused' | 'denied' | 'unknown',
): Promise<unknown> {
  const { runs, clock } = context;
  const state = result === 'unknown' ? 'unknown' : 'failed';
  if (result === 'refused') {
    const { reason } = error.details;
    await outcome(context, run, result, {
      errorCode: error.code,
      reason: typeof reason === 'string' ? reason : undefined,
    });
  } else context.counted(result);
  return persistently(context, () => runs.end(run.record.id, { state, endedAt: clock.now(), error: keptError(error) }));
}

async function outcome(
  context: DispatchContext,
  run: StoredPipelineRun,
  result: DispatchResult,
  more: AuditData = {},
): Promise<void> {
  context.counted(result);
  const facts = { ...factsOf(run), pipelineRun: run.azureRun, result, ...more };
  await context.journal.record('dispatch.queue.outcome', run.record.id, facts);
}

/** Of each request. */
function factsOf({ record, attempt, caller, requestId }: StoredPipelineRun): AuditData {
  return { ...auditedPipelineRun(record), attempt, requestId, caller: caller && auditedCaller(caller) };
}

function pauseOf(attempt: number): number {
  const pause = Math.min(FIRST_PAUSE_MS * 2 ** (attempt - 1), LONGEST_PAUSE_MS);
  return Math.round(pause * (0.5 + Math.random() / 2));
}
