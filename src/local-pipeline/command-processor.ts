import type { CommandContext } from './command-context.ts';
import { publishArtifact, uploadBuildSummary, uploadLog } from './file-commands.ts';
import { type LoggingCommand, parseLoggingCommand } from './logging-command.ts';
import { commandAllowed } from './restrictions.ts';
import { TASK_COMMANDS, type WorkerCommand } from './task-commands.ts';

const unrestricted = (run: WorkerCommand['run']): WorkerCommand => ({ allowedWhenRestricted: false, run });

const AREAS: Readonly<Record<string, Readonly<Record<string, WorkerCommand>>>> = {
  task: TASK_COMMANDS,
  build: {
    updatebuildnumber: unrestricted(updateBuildNumber),
    addbuildtag: unrestricted(addBuildTag),
    uploadlog: unrestricted(uploadLog),
    uploadsummary: unrestricted(uploadBuildSummary),
  },
  artifact: { upload: unrestricted(publishArtifact), associate: unrestricted(publishArtifact) },
  // Accepted without effect, as every telemetry line is for the pipeline's author.
  telemetry: { publish: unrestricted(() => {}) },
};

const DOCUMENTATION = 'Please reference documentation (http://go.microsoft.com/fwlink/?LinkId=817296)';

/**
 * Carries out a line of a step when it is a logging command (WorkerCommandManager.cs). False: it is a line of output,
 * perhaps one that looks like a command and gets a warning.
 */
export function processCommand(context: CommandContext, line: string): boolean {
  const command = parseLoggingCommand(line, decodesPercents(context));
  if (!command) {
    if (line.includes('##vso'))
      context.log.warning(`'${line}' contains logging command keyword '##vso', but it's not a legal command.`);
    return false;
  }
  if (command.area === 'release') return refuseRelease(context);
  const area = AREAS[command.area];
  if (area) execute(context, area[command.event], command, line);
  else context.log.warning(`Cannot find command extension for ##vso[${command.area}.command]. ${DOCUMENTATION}`);
  return true;
}

function decodesPercents({ variables }: CommandContext): boolean {
  return variables.get('DECODE_PERCENTS')?.toLowerCase() !== 'false';
}

function refuseRelease({ log, record }: CommandContext): boolean {
  log.error("'release' commands are not supported for Build");
  record.commandResult = 'Failed';
  return false;
}

function execute(
  context: CommandContext,
  found: WorkerCommand | undefined,
  command: LoggingCommand,
  line: string,
): void {
  const name = `##vso[${command.area}.${command.event}]`;
  try {
    if (!found)
      throw new Error(`${name} is not a recognized command for ${command.area} command extension. ${DOCUMENTATION}`);
    if (commandAllowed(context.restrictions, found.allowedWhenRestricted)) found.run(context, command);
    else context.log.warning(`${name} is not allowed in this step due to policy restrictions. ${DOCUMENTATION}`);
  } catch (thrown) {
    context.log.error(`Unable to process command '${line}' successfully. ${DOCUMENTATION}`);
    context.log.error(thrown instanceof Error ? thrown.message : String(thrown));
    context.record.commandResult = 'Failed';
  }
  if (command.event !== 'debug') context.log.debug(`Processed: ${line}`);
}

function updateBuildNumber({ publications, variables }: CommandContext, { data }: LoggingCommand): void {
  if (data === '') throw new Error('Build number is required.');
  publications.buildNumber = data;
  variables.set('Build.BuildNumber', data);
}

function addBuildTag({ publications }: CommandContext, { data }: LoggingCommand): void {
  if (data.trim() === '') throw new Error('Build tag is required.');
  publications.tags.add(data.trim());
}
