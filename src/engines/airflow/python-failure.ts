import type { TaskFailure } from '#core/run.ts';
import { userFrame } from '../user-frame.ts';

const TRACEBACK = /Traceback \(most recent call last\):\s*$/;
/** How Airflow 2.11 and 3.3 begin what they log next: `[2026-11-21T18:53:20.465+0000] {…`, `2026-11-21T18:53:41.2Z ERROR …`. */
const ENTRY = /^\[?\d{4}-\d\d-\d\dT\d\d:\d\d/;
const CHAINED = /^(The above exception was the direct cause of|During handling of the above exception, another)/;
const RAISED = /^([A-Za-z_][\w.]*)(?:: ?(.*))?$/s;
const FRAME = /^ {2}File "([^"]*)", line (\d+), in (.+)$/;
/** Airflow's own line before the exception that ended the task; its runner logs the same exception again from further out. */
const TASK_FAILED = /Task failed with exception/;
const LONGEST_MESSAGE_LINES = 20;
const LONGEST_MESSAGE = 4_000;
const LONGEST_TRACEBACK = 20_000;

/**
 * The exception that ended a task, as Python prints it in a log; `undefined` when there is none. Of a chain of exceptions it is
 * the last one; the traceback is that of the whole chain, cut at its beginning.
 */
export function pythonFailure(lines: readonly string[]): TaskFailure | undefined {
  const blocks = tracebacks(lines);
  const block = blocks.find(({ isOfTask }) => isOfTask) ?? blocks.at(-1);
  if (block === undefined) return undefined;
  const own = block.lines.slice(block.lines.findLastIndex((line) => TRACEBACK.test(line)) + 1);
  const end = own.findIndex((line) => line !== '' && !/^\s/.test(line));
  const [, type, message = ''] = (end === -1 ? null : RAISED.exec(own.slice(end).join('\n').trimEnd())) ?? [];
  if (type === undefined) return undefined;
  const frame = userFrame(own.flatMap(frameOf), 'airflow');
  const traceback = block.lines.join('\n').trimEnd().slice(-LONGEST_TRACEBACK);
  return { type, message: message.slice(0, LONGEST_MESSAGE), traceback, ...(frame && { frame }) };
}

interface Block {
  readonly lines: readonly string[];
  readonly isOfTask: boolean;
}

/** Tracebacks with their exceptions; those that Python chains are one. */
function tracebacks(lines: readonly string[]): readonly Block[] {
  const blocks: Block[] = [];
  for (let at = 0; at < lines.length; at += 1) {
    if (!TRACEBACK.test(lines[at] as string)) continue;
    const end = endOf(lines, at);
    blocks.push({ lines: lines.slice(at, end), isOfTask: TASK_FAILED.test(lines[at - 1] ?? '') });
    at = end - 1;
  }
  return blocks;
}

/** The index behind a traceback, its exception's message and what is chained to it. */
function endOf(lines: readonly string[], start: number): number {
  let at = start + 1;
  while (at < lines.length && /^(\s|$)/.test(lines[at] as string)) at += 1;
  const message = at;
  while (at < lines.length && at - message < LONGEST_MESSAGE_LINES && !endsMessage(lines, at)) at += 1;
  const next = lines.findIndex((line, index) => index >= at && line !== '');
  if (next === -1 || !CHAINED.test(lines[next] as string)) return at;
  const chained = lines.findIndex((line, index) => index > next && line !== '');
  return chained !== -1 && TRACEBACK.test(lines[chained] as string) ? endOf(lines, chained) : at;
}

function endsMessage(lines: readonly string[], at: number): boolean {
  const line = lines[at] as string;
  if (ENTRY.test(line) || TRACEBACK.test(line) || CHAINED.test(line) || line.startsWith('::')) return true;
  return line === '' && CHAINED.test(lines[at + 1] ?? '');
}

function frameOf(line: string): readonly { readonly file: string; readonly line: number; readonly function: string }[] {
  const [, file, number, name] = FRAME.exec(line) ?? [];
  return file === undefined || name === undefined ? [] : [{ file, line: Number(number), function: name }];
}
