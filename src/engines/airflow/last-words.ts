import type { ApiVersion } from './airflow-api.ts';

/**
 * Whether the log of a task that was ended from outside says that its process is gone. No field of the REST API tells it: state, end and
 * pid are what they are from the moment of the asking (measured with 2.11.2 and 3.3.2). What supervises the process writes it
 * into the task's log when it has ended: Airflow 3 as the last line, Airflow 2 with the process's id, which the log's beginning names.
 */
export function saysProcessEnded(api: ApiVersion, lines: readonly string[]): boolean {
  return api === 'v2' ? endedIn3(lines) : endedIn2(lines);
}

const ASKED_IN_3 = / ERROR - Server indicated the task shouldn't be running anymore\. Terminating process$/;
const ENDED_IN_3 = / ERROR - Task killed!$/;

function endedIn3(lines: readonly string[]): boolean {
  return ENDED_IN_3.test(lines.at(-1) ?? '') && lines.some((line) => ASKED_IN_3.test(line));
}

const BEGUN_IN_2 = /\{standard_task_runner\.py:\d+\} INFO - Started process (\d+) to run task$/;
const ENDED_IN_2 = /\{process_utils\.py:\d+\} INFO - Process psutil\.Process\(.*\) \((\d+)\) terminated with exit code/;

/** Children of the process are told of in the same way. */
function endedIn2(lines: readonly string[]): boolean {
  const pid = lines.map((line) => BEGUN_IN_2.exec(line)?.[1]).findLast((found) => found !== undefined);
  return pid !== undefined && lines.some((line) => ENDED_IN_2.exec(line)?.[1] === pid);
}
