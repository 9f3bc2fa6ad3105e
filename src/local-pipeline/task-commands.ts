import type { CommandContext } from './command-context.ts';
import { logDetail } from './detail-command.ts';
import { setEndpoint } from './endpoint-command.ts';
import { addAttachment, uploadFile, uploadSummary } from './file-commands.ts';
import { logIssue } from './issue-command.ts';
import { escapeData, type LoggingCommand } from './logging-command.ts';
import { variableSettable } from './restrictions.ts';
import { mergeResults, parseTaskResult } from './task-result.ts';

/** One command of an area. A throw fails the step and names the command. */
export interface WorkerCommand {
  readonly allowedWhenRestricted: boolean;
  readonly run: (context: CommandContext, command: LoggingCommand) => void;
}

const always = (run: WorkerCommand['run']): WorkerCommand => ({ allowedWhenRestricted: true, run });
const unrestricted = (run: WorkerCommand['run']): WorkerCommand => ({ allowedWhenRestricted: false, run });
const issue = always(logIssue);

/** `##vso[task.…]` (TaskCommandExtension.cs). */
export const TASK_COMMANDS: Readonly<Record<string, WorkerCommand>> = {
  logissue: issue,
  issue,
  setprogress: always(setProgress),
  logdetail: always(logDetail),
  complete: always(complete),
  setsecret: always(({ masker }, { data }) => masker.add(data)),
  setvariable: always(setVariable),
  settaskvariable: always(setTaskVariable),
  debug: always(({ log }, { data }) => log.debug(data)),
  prependpath: always(prependPath),
  addattachment: unrestricted(addAttachment),
  uploadsummary: unrestricted(uploadSummary),
  uploadfile: unrestricted(uploadFile),
  setendpoint: unrestricted(setEndpoint),
};

function isTrue(text: string | undefined): boolean {
  return text?.trim().toLowerCase() === 'true';
}

function setProgress({ record, log }: CommandContext, { properties, data }: LoggingCommand): void {
  const value = Number.parseInt(properties.get('value') ?? '0', 10) || 0;
  record.progress = Math.max(record.progress, Math.min(Math.max(value, 0), 100));
  record.currentOperation = data;
  log.progress();
}

function complete(context: CommandContext, { properties, data }: LoggingCommand): void {
  const result = parseTaskResult(properties.get('result') ?? '');
  if (!result) throw new Error("Command doesn't have valid result value.");
  context.record.result = mergeResults(context.record.result, result);
  context.record.progress = 100;
  context.record.currentOperation = context.masker.mask(data);
  if (isTrue(properties.get('done'))) context.forceCompletion();
}

function setVariable(context: CommandContext, { properties, data }: LoggingCommand): void {
  const name = properties.get('variable');
  if (!name) throw new Error("Required field 'variable' is missing in ##vso[task.setvariable] command.");
  if (context.variables.isReadOnly(name)) throw new Error(`Overwriting readonly variable '${name}' is not permitted.`);
  const secret = isTrue(properties.get('issecret'));
  if (secret) addSecret(context, data);
  if (!settable(context, name)) return;
  const traits = {
    secret,
    readOnly: isTrue(properties.get('isreadonly')),
    preserveCase: isTrue(properties.get('preservecase')),
  };
  const { record, variables, outputNames } = context;
  if (isTrue(properties.get('isoutput')) || outputNames.has(name)) {
    record.outputs.set(name, { value: data, secret });
    variables.set(`${record.name}.${name}`, data, {
      ...traits,
      readOnly: traits.readOnly || isTrue(properties.get('isoutput')),
    });
  } else variables.set(name, data, traits);
}

function addSecret({ masker, variables }: CommandContext, data: string): void {
  refuseMultiline(data, variables.get('SYSTEM_UNSAFEALLOWMULTILINESECRET'));
  masker.add(escapeData(data));
}

function refuseMultiline(data: string, allowed: string | undefined): void {
  if (data.includes('\n') && !isTrue(allowed)) throw new Error('Secrets cannot contain multiple lines');
}

function settable({ restrictions, log }: CommandContext, name: string): boolean {
  const allowed = variableSettable(restrictions, name);
  if (!allowed) log.warning(`Setting variable '${name}' has been disabled by the task or build definition.`);
  return allowed;
}

function setTaskVariable({ taskVariables, variables }: CommandContext, { properties, data }: LoggingCommand): void {
  const name = properties.get('variable');
  if (!name) throw new Error("Required field 'variable' is missing in ##vso[task.settaskvariable] command.");
  if (taskVariables.isReadOnly(name)) throw new Error(`Overwriting readonly task variable '${name}' is not permitted.`);
  const secret = isTrue(properties.get('issecret'));
  if (secret) refuseMultiline(data, variables.get('SYSTEM_UNSAFEALLOWMULTILINESECRET'));
  taskVariables.set(name, data, {
    secret,
    readOnly: isTrue(properties.get('isreadonly')),
    preserveCase: isTrue(properties.get('preservecase')),
  });
}

function prependPath(context: CommandContext, { data }: LoggingCommand): void {
  if (!settable(context, 'PATH')) return;
  if (data === '') throw new Error('prependpath needs a path.');
  const before = context.prependPath.indexOf(data);
  if (before >= 0) context.prependPath.splice(before, 1);
  context.prependPath.push(data);
}
