import type { Report } from '#report/schema.ts';

export const REPORT_ATTACHMENT = 'plumbline-report';
export const LINEAGE_ATTACHMENT = 'plumbline-lineage';

const MAX_NAME = 120;
/** What the agent refuses in the name of an attachment (`Path.GetInvalidFileNameChars` of Windows), and invisible ones. */
const REFUSED = /["<>|:*?\\/\p{C}]+/gu;

/** A name for a record of this step: `daily` in the job `luigi` is `luigi.daily`. A step's record is its own already. */
export function attachmentName({ pipeline }: Report, extension: string): string {
  return `${fileName(`${pipeline.job}.${pipeline.step}`)}.${extension}`;
}

/** The title in the Extensions tab. */
export function summaryTitle({ run, pipeline }: Report): string {
  return fileName(`${run.workflow} (${pipeline.step})`);
}

/**
 * The engine, so that runs can be filtered, and how the run ended; of a run with pages of its own also its id and the id that both
 * sides share.
 */
export function tagsOf({ run }: Report): readonly string[] {
  const { state, id, url, sharedId } = run;
  const engine = fileName(run.engine.name.toLowerCase());
  return [
    engine,
    `plumbline:${state}`,
    ...(url === undefined ? [] : [`${engine}:${fileName(id)}`]),
    ...(sharedId === undefined ? [] : [fileName(sharedTag(sharedId))]),
  ];
}

/** As a gateway tags a pipeline run that it queues. */
function sharedTag(sharedId: string): string {
  return sharedId.startsWith('plumbline-') ? sharedId : `plumbline-${sharedId}`;
}

/** `Plumbline.<stage>.<job>.<step>.<field>`: legs of a matrix and equal steps of two jobs do not overwrite each other. */
export function propertiesOf(report: Report): Readonly<Record<string, string>> {
  const { run, pipeline, lineage, counts } = report;
  const place = [pipeline.stage, pipeline.job, pipeline.step].filter((name) => name !== undefined);
  const prefix = ['Plumbline', ...place.map((name) => fileName(name).replaceAll('.', '_'))].join('.');
  const values = {
    runId: run.id,
    state: run.state,
    verified: run.verified,
    rootTask: run.rootTaskId ?? run.workflow,
    tasks: String(Object.values(counts).reduce((sum, count) => sum + count, 0)),
    lineageRunId: lineage?.workflowRunId,
  };
  const given = Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return Object.fromEntries(given.map(([field, value]) => [`${prefix}.${field}`, value]));
}

function fileName(text: string): string {
  const name = text.replace(REFUSED, ' ').replace(/\s+/g, ' ').trim().slice(0, MAX_NAME).trim();
  return name.replace(/^[.\s]+|[.\s]+$/g, '').replace(/\p{Surrogate}/gu, '') || 'step';
}
