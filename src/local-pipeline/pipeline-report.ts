import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { RunContext } from './run-context.ts';
import type { Attachment, StepIssue, StepRecord } from './step-record.ts';
import type { TaskResult } from './task-result.ts';

export interface StepReport {
  readonly job: string;
  readonly name: string;
  /** `RunLuigi@1`, `script`, `bash`, `checkout`. */
  readonly task: string;
  readonly result: TaskResult;
  readonly durationMs: number;
  readonly issues: readonly Omit<StepIssue, 'code'>[];
  /** Secret ones are masked. */
  readonly outputs: Readonly<Record<string, string>>;
}

/** A finished run; the file that `--json` writes. */
export interface PipelineReport {
  readonly result: TaskResult;
  readonly steps: readonly StepReport[];
  /** What steps or the YAML have set, not secret and not predefined, as at the end of the last job that had it. */
  readonly variables: Readonly<Record<string, string>>;
  readonly tags: readonly string[];
  readonly properties: Readonly<Record<string, string>>;
  readonly attachments: readonly { readonly type: string; readonly name: string; readonly path: string }[];
  /** Path of the whole log, masked. */
  readonly log: string;
}

/** Gathers what logging commands and REST calls have published; attachments are written below `out`. */
export function pipelineReport(context: RunContext, result: TaskResult, out: string, log: string): PipelineReport {
  const published = context.services?.published() ?? { tags: [], properties: {}, attachments: [] };
  const attachments = [...context.publications.attachments, ...published.attachments];
  return {
    result,
    steps: context.records.map((record) => stepReport(record, context)),
    variables: ownVariables(context),
    tags: [...new Set([...context.publications.tags, ...published.tags])],
    properties: published.properties,
    attachments: attachments.map((attachment, index) => save(attachment, index, context, out)),
    log,
  };
}

function stepReport(
  { job, displayName, task, result, startedAt = 0, endedAt = 0, issues, outputs }: StepRecord,
  { masker }: RunContext,
): StepReport {
  return {
    job,
    name: displayName,
    task,
    result: result ?? 'Skipped',
    durationMs: endedAt - startedAt,
    issues: issues.map(({ type, message, sourcePath, line }) => ({
      type,
      message,
      ...(sourcePath !== undefined && { sourcePath }),
      ...(line !== undefined && { line }),
    })),
    outputs: Object.fromEntries(
      [...outputs].map(([name, { value, secret }]) => [name, secret ? '***' : masker.mask(value)]),
    ),
  };
}

function ownVariables({ finalVariables, masker }: RunContext): Record<string, string> {
  const all = finalVariables.flatMap((store) => store.list());
  const own = all.filter(({ secret, predefined }) => !secret && !predefined);
  return Object.fromEntries(own.map(({ name, value }) => [name, masker.mask(value)]));
}

/** `attachments/<number>-<type>/<name>`: two records may use one name. */
function save(
  { type, name, recordId, content }: Attachment,
  index: number,
  context: RunContext,
  out: string,
): { type: string; name: string; path: string } {
  const folder = path.join(out, 'attachments', `${index + 1}-${safe(type)}`);
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, safe(name));
  writeFileSync(file, content);
  const record = context.records.find(({ id }) => id === recordId);
  context.write(`Attachment ${type}/${name} of ${record?.displayName ?? recordId}`);
  return { type, name, path: file };
}

function safe(name: string): string {
  return name.replace(/[/\\\0]/g, '_').replace(/^\.+$/, '_') || '_';
}
