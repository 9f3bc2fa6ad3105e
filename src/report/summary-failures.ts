import { formatDuration } from '#core/duration.ts';
import { CAPS } from './caps.ts';
import { codeBlock, inline, join, type Markdown, md, table } from './markdown.ts';
import type { Report, ReportFinding, ReportFrame, ReportTask } from './schema.ts';
import { taskLabel } from './task-label.ts';
import { trusted } from './trusted.ts';

const LINE = CAPS.summaryLine;

/** What went wrong: findings that no traceback below explains, then each failed task with the end of its traceback. */
export function summaryFailures({ findings, tasks }: Report): Markdown[] {
  const failed = tasks.filter(({ failure }) => failure);
  const shown = failed.slice(0, CAPS.summaryFailures);
  const explained = new Set(shown.map(({ id }) => id));
  const others = findings.filter(({ taskId }) => taskId === undefined || !explained.has(taskId));
  return [
    ...section('### What to look at', findingTable(others)),
    ...section('### What failed', shown.flatMap(failureBlock)),
    ...more(failed.length - shown.length, 'failed tasks'),
  ];
}

function findingTable(findings: readonly ReportFinding[]): Markdown[] {
  if (findings.length === 0) return [];
  const errorsFirst = [...findings].sort((a, b) => a.severity.localeCompare(b.severity));
  const rows = errorsFirst
    .slice(0, CAPS.summaryFindings)
    .map(({ severity, code, message, remedy, frame }) => [
      severity === 'error' ? md`❌ error` : md`⚠️ warning`,
      join([inline(message, LINE), place(frame), inline(remedy ?? '', LINE)], '<br>'),
      inline(code, LINE),
    ]);
  const left = more(findings.length - rows.length, 'findings');
  return [table([md`Severity`, md`What and what to do`, md`Code`], rows), ...left];
}

function failureBlock(task: ReportTask): Markdown[] {
  const { failure, startedAt, endedAt, attempts } = task;
  if (!failure) return [];
  const facts = [
    place(failure.frame),
    startedAt !== undefined && endedAt !== undefined
      ? md`after ${trusted(formatDuration(Math.max(0, endedAt - startedAt)))}`
      : md``,
    attempts > 1 ? md`attempt ${attempts}` : md``,
  ];
  return [
    md`**❌ ${taskLabel(task)}**`,
    md`**${inline(failure.type, LINE) || md`Exception`}** ${inline(failure.message, LINE)}`,
    join(facts, ' · '),
    failure.traceback.trim() ? codeBlock(failure.traceback, CAPS.summaryTracebackLines, LINE) : md``,
  ];
}

function place(frame: ReportFrame | undefined): Markdown {
  return frame ? md`at ${inline(`${frame.file}:${frame.line}`, LINE)} in ${inline(frame.function, LINE)}` : md``;
}

function section(title: string, blocks: readonly Markdown[]): Markdown[] {
  return blocks.length > 0 ? [trusted(title), ...blocks] : [];
}

function more(count: number, what: string): Markdown[] {
  return count > 0 ? [trusted(`… and ${count} more ${what}; all that were kept are in the report.`)] : [];
}
