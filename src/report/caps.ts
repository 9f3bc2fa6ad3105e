import { wellFormed } from '#core/well-formed.ts';

/** Every limit of report and summary. Lengths are in UTF-16 units, sizes in characters of JSON. */
export const CAPS = {
  /** The tab refuses a longer attachment. */
  reportSize: 8_000_000,
  /** Of all tasks together; the rest of `reportSize` is for everything else. */
  tasksSize: 5_000_000,
  tasks: 5_000,
  findings: 200,
  datasets: 5_000,
  secrets: 200,
  /** Dependencies, parameters and datasets of one task. */
  dependencies: 1_000,
  parameters: 40,
  taskDatasets: 200,
  /** An id, a name, an address. */
  name: 1_000,
  parameterValue: 300,
  message: 2_000,
  traceback: 8_000,
  /** Of the summary. */
  summaryFailures: 10,
  summaryFindings: 20,
  summaryTasks: 60,
  summaryFamilies: 60,
  summaryDatasets: 30,
  summarySecrets: 50,
  summaryTracebackLines: 12,
  summaryLine: 300,
  summaryLabel: 120,
} as const;

/** At most `max` UTF-16 units, the last of them `…` when something was cut; well-formed. */
export function cutText(text: string, max: number): string {
  return text.length <= max ? wellFormed(text) : `${wellFormed(text.slice(0, max - 1)).replace(/\uFFFD$/, '')}…`;
}

/** The same from the other end: the last frames of a traceback matter. */
export function cutStart(text: string, max: number): string {
  return text.length <= max ? wellFormed(text) : `…${wellFormed(text.slice(1 - max)).replace(/^\uFFFD/, '')}`;
}
