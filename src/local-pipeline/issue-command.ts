import path from 'node:path';
import type { CommandContext } from './command-context.ts';
import type { LoggingCommand } from './logging-command.ts';

/** `task.logissue`: with a source path the message gets the compiler's form, as the agent writes it. */
export function logIssue(context: CommandContext, { properties, data }: LoggingCommand): void {
  const kind = properties.get('type');
  if (kind === undefined) {
    context.log.warning("Can't create TaskIssue from logging event.");
    return;
  }
  const type = kind.toLowerCase();
  if (type !== 'error' && type !== 'warning') throw new Error(`issue type ${kind} is not an expected issue type.`);
  const sourcePath = relative(properties.get('sourcepath'), context.sourcesDirectory);
  const code = properties.get('code');
  const line = properties.get('linenumber');
  const place = `${sourcePath}(${line ?? ''},${properties.get('columnnumber') ?? ''}): ${kind} ${code ?? ''}: `;
  context.log.issue({
    type,
    message: sourcePath === undefined ? data : place + data,
    code,
    sourcePath,
    line: line === undefined ? undefined : Number(line),
  });
}

function relative(file: string | undefined, root: string): string | undefined {
  if (file === undefined || !path.isAbsolute(file)) return file;
  const inside = path.relative(root, file);
  return inside.startsWith('..') || path.isAbsolute(inside) ? file : inside.split(path.sep).join('/');
}
