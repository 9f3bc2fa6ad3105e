import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import fc from 'fast-check';
import { wellFormed } from '#core/well-formed.ts';
import { LineSplitter } from '#local-pipeline/line-splitter.ts';
import { parseLoggingCommand } from '#local-pipeline/logging-command.ts';
import { hostileText } from './arbitrary-run.ts';

interface TaskLibCommand {
  toString(): string;
}
type TaskCommand = new (
  command: string,
  properties: Readonly<Record<string, string>>,
  message: string,
) => TaskLibCommand;

const { TaskCommand } = createRequire(import.meta.url)('azure-pipelines-task-lib/taskcommand.js') as {
  readonly TaskCommand: TaskCommand;
};

const pieces = fc.constantFrom(
  '%',
  '%AZP25',
  'AZP25',
  '%3B',
  '%5D',
  '%0D',
  '%0A',
  ';',
  ']',
  '[',
  '=',
  '\r',
  '\n',
  '##vso[',
);
const text = fc.oneof(
  hostileText,
  fc.array(pieces, { maxLength: 8 }).map((all) => all.join('')),
);

/** What a task says with task-lib: a command, its properties, its text, and the chunks in which the agent reads it. */
export const taskLibCommand = fc.record({
  command: fc.constantFrom('task.setvariable', 'task.logissue', 'task.complete', 'artifact.upload', 'Task.LogDetail'),
  properties: fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), text, { maxKeys: 4, noNullPrototype: true }),
  message: text,
  cuts: fc.array(fc.nat(), { maxLength: 3 }),
});

type Command = typeof taskLibCommand extends fc.Arbitrary<infer Values> ? Values : never;

/** What the parser of the local pipeline reads is what the task said, one line, whatever the text. */
export function checkTaskLibCommand({ command, properties, message, cuts }: Command): void {
  const said = Buffer.from(`${new TaskCommand(command, properties, message)}\n`);
  const lines = linesOf(said, cuts);
  assert.equal(lines.length, 1);
  const read = parseLoggingCommand(lines[0] ?? '');
  assert.equal(`${read?.area}.${read?.event}`, command.toLowerCase());
  assert.equal(read?.data, wellFormed(message));
  // The agent drops properties without a value, and task-lib does not say them.
  const expected = Object.entries(properties).filter(([, value]) => value !== '');
  for (const [name, value] of expected) {
    if (!value.startsWith('=')) assert.equal(read?.properties.get(name), wellFormed(value));
  }
  assert.ok((read?.properties.size ?? 0) <= expected.length);
}

function linesOf(bytes: Buffer, cuts: readonly number[]): readonly string[] {
  const lines: string[] = [];
  const splitter = new LineSplitter((line) => lines.push(line));
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  for (const [i, end] of ends.entries()) splitter.write(bytes.subarray(ends[i - 1] ?? 0, end));
  splitter.end();
  return lines;
}
