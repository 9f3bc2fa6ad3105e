import type { Provenance } from '#core/provenance.ts';
import { oneLine } from '#core/task-name.ts';

/** Airflow refuses a longer note. */
const LONGEST_NOTE = 1_000;
/** Kept free for the lines that say that the run was stopped or goes on again. */
const KEPT_FREE = 100;
const LONGEST_NAME = 120;
const LONGEST_URL = 300;

/** The line by which a person in Airflow finds the pipeline run. */
export function pipelineLine({ organization, project, pipeline, run }: Provenance, sharedId: string): string {
  const names = [`${organization}/${project.name}`, pipeline.name, run.name].map((name) => oneLine(name, LONGEST_NAME));
  const url = run.url.length > LONGEST_URL ? '' : ` ${run.url}`;
  return `Azure Pipelines: ${names.join(' · ')}${url} [${sharedId}]`;
}

/** How many characters of a note are the author's. */
export function roomForNote(line: string): number {
  return LONGEST_NOTE - KEPT_FREE - line.length - 1;
}

/** The author's note and, below it, our own line. */
export function runNote(note: string | undefined, line: string): string {
  return note === undefined ? line : `${note}\n${line}`;
}
