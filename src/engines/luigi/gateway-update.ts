import type { Dataset } from '#core/dataset.ts';
import { ERROR_FAMILIES, type ErrorCode } from '#core/errors.ts';
import type { Finding, RunOutcome, RunState, RunUpdate, TaskFailure, TaskRecord } from '#core/run.ts';
import { TASK_STATES } from '#core/run.ts';
import { AnswerError, Fields } from '../answer-fields.ts';

/** The outcome as a gateway sends it: its tasks were told before. */
export type GatewayOutcome = Omit<RunOutcome, 'tasks' | 'adopted'>;

/** An update as a gateway sends it; `undefined` in place of a kind that a later gateway may have. */
export type GatewayUpdate =
  | Exclude<RunUpdate, { readonly kind: 'outcome' }>
  | { readonly kind: 'outcome'; readonly outcome: GatewayOutcome };

export const RUN_STATES = [
  'queued',
  'running',
  'succeeded',
  'failed',
  'cancelled',
  'lost',
  'deadline',
] as const satisfies readonly RunState[];

const ENDS = ['succeeded', 'failed', 'cancelled', 'lost', 'deadline'] as const satisfies readonly RunOutcome['state'][];
const VERIFIED = ['confirmed', 'unverifiable', 'refuted', 'unknown'] as const;
const LONGEST_TRACEBACK = 100_000;

/** @throws {AnswerError} naming the field that is not what it has to be */
export function readUpdate(value: unknown): GatewayUpdate | undefined {
  const fields = new Fields(value, 'update');
  switch (fields.name('kind')) {
    case 'state':
      return { kind: 'state', state: fields.oneOf('state', RUN_STATES), at: fields.time('at') };
    case 'task':
      return { kind: 'task', task: readTask(fields.object('task')), previous: previous(fields), at: fields.time('at') };
    case 'status':
      return { kind: 'status', task: readTask(fields.object('task')), at: fields.time('at') };
    case 'outcome':
      return { kind: 'outcome', outcome: readOutcome(fields.object('outcome')) };
    default:
      return undefined;
  }
}

function previous(fields: Fields): TaskRecord['state'] | undefined {
  return fields.has('previous') ? fields.oneOf('previous', TASK_STATES) : undefined;
}

function readTask(fields: Fields): TaskRecord {
  const failure = fields.maybeObject('failure');
  return {
    id: fields.name('id'),
    family: fields.name('family'),
    module: fields.maybeText('module'),
    parameters: fields.texts('parameters'),
    state: fields.oneOf('state', TASK_STATES),
    dependsOn: fields.names('dependsOn'),
    startedAt: fields.maybeTime('startedAt'),
    endedAt: fields.maybeTime('endedAt'),
    attempts: fields.count('attempts'),
    ...(failure && { failure: readFailure(failure) }),
    inputs: fields.objects('inputs').map(readDataset),
    outputs: fields.objects('outputs').map(readDataset),
    statusMessage: fields.maybeText('statusMessage'),
    ...(fields.has('progress') && { progress: fields.number('progress', { from: -1e9, to: 1e9 }) }),
    trackingUrl: fields.maybeText('trackingUrl'),
  };
}

function readFailure(fields: Fields): TaskFailure {
  return {
    type: fields.text('type'),
    message: fields.text('message'),
    traceback: fields.text('traceback', LONGEST_TRACEBACK),
    ...frameOf(fields),
  };
}

function frameOf(fields: Fields): Pick<TaskFailure, 'frame'> {
  const frame = fields.maybeObject('frame');
  if (frame === undefined) return {};
  return { frame: { file: frame.text('file'), line: frame.count('line'), function: frame.text('function') } };
}

function readDataset(fields: Fields): Dataset {
  return { namespace: fields.text('namespace'), name: fields.text('name'), type: fields.text('type') };
}

/** How a run ended, as a gateway keeps it. Success that nobody verified is refused: green is never taken on trust. */
export function readOutcome(fields: Fields): GatewayOutcome {
  const state = fields.oneOf('state', ENDS);
  const verified = fields.oneOf('verified', VERIFIED);
  const findings = fields.objects('findings').map(readFinding);
  if (state === 'succeeded' && (verified === 'refuted' || verified === 'unknown')) {
    throw new AnswerError(`outcome.state is succeeded, but its root task is ${verified}`);
  }
  if (state !== 'succeeded' && !findings.some(({ severity }) => severity === 'error')) {
    throw new AnswerError(`outcome.state is ${state}, but outcome.findings has no error`);
  }
  const engine = fields.object('engine');
  return {
    state,
    verified,
    rootTaskId: fields.maybeName('rootTaskId'),
    summary: fields.maybeText('summary'),
    findings,
    startedAt: fields.time('startedAt'),
    endedAt: fields.time('endedAt'),
    engine: {
      name: engine.text('name'),
      version: engine.maybeText('version'),
      adapterVersion: engine.text('adapterVersion'),
    },
  };
}

function readFinding(fields: Fields): Finding {
  const severity = fields.oneOf('severity', ['error', 'warning']);
  return {
    severity,
    code: knownCode(fields.text('code'), severity),
    message: fields.text('message'),
    remedy: fields.maybeText('remedy'),
    taskId: fields.maybeName('taskId'),
    ...frameOf(fields),
  };
}

/** A later gateway may have codes that this version does not know. */
function knownCode(code: string, severity: Finding['severity']): ErrorCode {
  if (Object.hasOwn(ERROR_FAMILIES, code)) return code as ErrorCode;
  return severity === 'error' ? 'ERR_RUN_FAILED' : 'ERR_RUN_UNVERIFIED';
}
