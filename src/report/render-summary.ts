import { inline, join, type Markdown, md } from './markdown.ts';
import type { Report } from './schema.ts';
import { summaryCut, summaryData, summaryIdentity, summaryLineage } from './summary-evidence.ts';
import { summaryFailures } from './summary-failures.ts';
import { summaryGateway } from './summary-gateway.ts';
import { summaryHead } from './summary-head.ts';
import { summaryTasks } from './summary-tasks.ts';

/**
 * The summary of a run for the Extensions tab of its pipeline run, in GitHub-flavoured Markdown: how it ended first, then
 * what failed, each task, the data, whom it acted as. Text that is not ours cannot become markup, a link or a command.
 */
export function renderSummary(report: Report): string {
  const blocks: Markdown[] = [
    ...summaryHead(report),
    ...summaryFailures(report),
    ...summaryTasks(report),
    ...summaryData(report),
    ...summaryIdentity(report),
    ...summaryGateway(report.gateway),
    ...summaryLineage(report.lineage),
    ...summaryCut(report.cut),
    md`Plumbline ${inline(report.producer.version, 40)} · run ${inline(report.run.id, 200)}`,
  ];
  return `${join(blocks, '\n\n')}\n`;
}
