import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import type { CommandContext } from './command-context.ts';
import type { LoggingCommand } from './logging-command.ts';

const SUMMARY = 'Distributedtask.Core.Summary';
const FILE = 'DistributedTask.Core.FileAttachment';
const LOG = 'DistributedTask.Core.Log';

export function addAttachment(context: CommandContext, { properties, data }: LoggingCommand): void {
  attach(context, properties.get('type'), properties.get('name'), data);
}

export function uploadSummary(context: CommandContext, { data }: LoggingCommand): void {
  if (data === '') throw new Error('Cannot upload summary file, summary file location is not specified.');
  attach(context, SUMMARY, path.basename(data), data);
}

export function uploadFile(context: CommandContext, { data }: LoggingCommand): void {
  if (data === '') throw new Error('Cannot upload file, file location is not specified.');
  attach(context, FILE, path.basename(data), data);
}

/** `build.uploadlog` */
export function uploadLog(context: CommandContext, { data }: LoggingCommand): void {
  attach(context, LOG, 'CustomToolLog', data);
}

/** `build.uploadsummary` */
export function uploadBuildSummary(context: CommandContext, { data }: LoggingCommand): void {
  attach(context, SUMMARY, `CustomMarkDownSummary-${path.basename(data)}`, data);
}

function attach(
  { record, publications }: CommandContext,
  type: string | undefined,
  name: string | undefined,
  file: string,
): void {
  if (!type) throw new Error('Cannot upload attachment: its type is missing.');
  if (!name) throw new Error('Cannot upload attachment: its name is missing.');
  // Path.GetInvalidFileNameChars() of a Unix agent: the slash and NUL.
  if (/[/\0]/.test(type)) throw new Error('Type contains invalid characters.');
  if (/[/\0]/.test(name)) throw new Error('Name contains invalid characters.');
  if (!existsSync(file) || !statSync(file).isFile())
    throw new Error('Cannot upload task attachment file: it does not exist on disk.');
  publications.attachments.push({ type, name, recordId: record.id, content: new Uint8Array(readFileSync(file)) });
}

/** `artifact.upload` and `artifact.associate`: remembered, not copied. */
export function publishArtifact({ publications }: CommandContext, { event, properties, data }: LoggingCommand): void {
  const name = properties.get('artifactname');
  if (!name) throw new Error('Artifact Name is required.');
  if (data === '') throw new Error('Artifact location is required.');
  if (event === 'upload' && !existsSync(data)) throw new Error(`Path does not exist: ${data}`);
  publications.artifacts.push({ name, type: properties.get('type') ?? 'container', location: data });
}
