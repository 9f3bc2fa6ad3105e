import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import type { PipelineReport } from '#local-pipeline/pipeline-report.ts';
import { parseReport } from '#report/parse-report.ts';
import { ROOT } from './repository.ts';
import { showReport } from './show-report.ts';

/** Prints what came of a pipeline run: the workflow's tree, how the run ended, and where what it published lies. */
export function tellOutcome({ attachments, tags, result }: PipelineReport): void {
  const path = (type: string) => attachments.find((attachment) => attachment.type === type)?.path;
  const report = path('plumbline-report');
  const parsed = report === undefined ? undefined : parseReport(readFileSync(report, 'utf8'));
  if (parsed === undefined) console.log('\nThe run published no report; its log says why.');
  else if (parsed.ok) showReport(parsed.report);
  else console.log(`\n${parsed.problem}`);
  console.log(`\nThe pipeline run ended as ${result}. What it published, here and in Azure DevOps alike:`);
  for (const { type, path } of attachments) console.log(`  ${titleOf(type).padEnd(8)} ${relative(ROOT, path)}`);
  if (tags.length > 0) console.log(`  tags     ${tags.join(', ')}`);
}

function titleOf(attachmentType: string): string {
  if (attachmentType === 'Distributedtask.Core.Summary') return 'summary';
  return attachmentType.replace(/^plumbline-/, '');
}
