import { PlumblineError } from '#core/errors.ts';
import { neutraliseJson } from '#core/neutralise.ts';
import type { Finding } from '#core/run.ts';
import type { RunRecords } from '#core/run-records.ts';
import type { Report } from '#report/schema.ts';
import {
  attachmentName,
  LINEAGE_ATTACHMENT,
  propertiesOf,
  REPORT_ATTACHMENT,
  summaryTitle,
  tagsOf,
} from './record-names.ts';

export interface Publication {
  readonly report: Report;
  /** Markdown, from `renderSummary`. */
  readonly summary: string;
  /** OpenLineage events, one a line; `undefined` when they are not to be attached. */
  readonly lineage?: string | undefined;
}

/**
 * Leaves a run's report, summary, lineage, tags and properties on its pipeline run. What fails does not keep the rest
 * from being published; doing it again does no harm.
 *
 * A classic release has neither tags nor properties: its `Build.BuildId` is the build of its artifact, which is not ours
 * to mark.
 *
 * @returns a warning `ERR_PUBLISH_FAILED` for each part that could not be published; never throws for such a part
 */
export async function publishReport(publication: Publication, records: RunRecords): Promise<readonly Finding[]> {
  const parts = partsOf(publication, records);
  const results = await Promise.allSettled(parts.map(({ publish }) => publish()));
  return results.flatMap((result, index) =>
    result.status === 'rejected' ? [failed(parts[index]?.what ?? '', publication.report, result.reason)] : [],
  );
}

interface Part {
  readonly what: string;
  readonly publish: () => Promise<void>;
}

function partsOf({ report, summary, lineage }: Publication, records: RunRecords): Part[] {
  const json = neutraliseJson(JSON.stringify(report));
  const attach = async (type: string, extension: string, text: string) =>
    records.attach(type, attachmentName(report, extension), bytesOf(text));
  const parts: Part[] = [
    { what: 'The report', publish: () => attach(REPORT_ATTACHMENT, 'json', json) },
    { what: 'The summary', publish: async () => records.summary(summaryTitle(report), bytesOf(summary)) },
  ];
  if (lineage !== undefined) {
    parts.push({ what: 'The lineage', publish: () => attach(LINEAGE_ATTACHMENT, 'jsonl', lineage) });
  }
  if (report.pipeline.kind === 'build') {
    parts.push(
      { what: 'The tags', publish: async () => records.tag(tagsOf(report)) },
      { what: 'The properties', publish: async () => records.properties(propertiesOf(report)) },
    );
  }
  return parts;
}

function failed(what: string, { pipeline }: Report, cause: unknown): Finding {
  const why = cause instanceof Error ? cause.message : String(cause);
  const known = cause instanceof PlumblineError ? cause.remedy : undefined;
  return {
    severity: 'warning',
    code: 'ERR_PUBLISH_FAILED',
    message: `${what} could not be published on pipeline run '${pipeline.runName}': ${why}`,
    remedy:
      known ?? "See whether the job's build service identity may update builds and whether Azure DevOps is reachable.",
  };
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
