/** How a step, job, stage or run ends, in the order of the agent's own enumeration. */
export const TASK_RESULTS = ['Succeeded', 'SucceededWithIssues', 'Failed', 'Canceled', 'Skipped'] as const;
export type TaskResult = (typeof TASK_RESULTS)[number];

/** The name in any case, or its number in the agent's enumeration. */
export function parseTaskResult(text: string): TaskResult | undefined {
  return (
    TASK_RESULTS.find((result) => result === text.trim()) ?? TASK_RESULTS[/^\d$/.test(text.trim()) ? Number(text) : -1]
  );
}

/** The worse of two, but nothing replaces a result that is worse than Failed. */
export function mergeResults(current: TaskResult | undefined, coming: TaskResult): TaskResult {
  if (current === undefined) return coming;
  const [now, then] = [TASK_RESULTS.indexOf(current), TASK_RESULTS.indexOf(coming)];
  if (now > TASK_RESULTS.indexOf('Failed')) return current;
  return then >= now ? coming : current;
}
