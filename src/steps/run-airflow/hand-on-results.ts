import { asPlumblineError } from '#core/errors.ts';
import type { Host } from '#core/host.ts';
import type { Finding, RunRef } from '#core/run.ts';
import type { AirflowApi } from '#engines/airflow/airflow-api.ts';
import { readResults } from '#engines/airflow/read-results.ts';
import { runNameOf } from '#engines/airflow/run-name.ts';
import type { ResultInput } from './inputs.ts';

/**
 * Sets `result_<name>` for every value that was asked for; one that cannot be had is empty.
 * @returns a warning for each of those
 */
export async function handOnResults(
  api: AirflowApi,
  ref: RunRef,
  wanted: readonly ResultInput[],
  host: Host,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  if (wanted.length === 0) return [];
  const { values, missing } = await read(api, ref, wanted, signal);
  for (const { name } of wanted) host.setOutput(`result_${name}`, values.get(name) ?? '');
  return missing.map(({ name, why }) => ({
    severity: 'warning',
    code: 'ERR_RUN_RESULT_MISSING',
    message: `The variable result_${name} is empty: ${why}`,
    remedy: "See the task's XComs in Airflow, and the input results.",
  }));
}

async function read(
  api: AirflowApi,
  ref: RunRef,
  wanted: readonly ResultInput[],
  signal: AbortSignal,
): Promise<Awaited<ReturnType<typeof readResults>>> {
  try {
    return await readResults(api, runNameOf(ref), wanted, signal);
  } catch (thrown) {
    const { message } = asPlumblineError(thrown);
    return { values: new Map(), missing: wanted.map(({ name }) => ({ name, why: message })) };
  }
}
