import { type ErrorCode, PlumblineError } from '#core/errors.ts';
import type { HttpResponse } from '#http/http-response.ts';
import { reasonOf } from './airflow-problem.ts';

export const TRIGGER_REFUSALS: readonly number[] = [400, 404, 409, 422];

const REMEDIES = {
  ERR_AIRFLOW_CONFLICT:
    'The DAG has a run of this id or of this logical date already: give another logicalDate, or none; with Airflow 3 a run without one never meets another.',
  ERR_DAG_NOT_FOUND: 'Check dagId, and that the user of the connection may see this DAG.',
  ERR_DAG_IMPORT: "Correct the DAG's file; the import error stands on Airflow's first page.",
  ERR_DAG_CONF_INVALID:
    "Correct conf, logicalDate or note by what Airflow says; the DAG's params say what they may be.",
} as const satisfies Partial<Record<ErrorCode, string>>;

/** Why Airflow did not make a run: a 400, 404, 409 or 422 as an error. */
export function triggerRefusal(
  { dagId, runId, airflow }: { readonly dagId: string; readonly runId: string; readonly airflow: string },
  response: HttpResponse,
): PlumblineError {
  const said = reasonOf(response) ?? `HTTP ${response.status}`;
  const code = codeOf(response.status, said);
  return new PlumblineError(code, `Airflow at ${airflow} did not start the run ${runId} of the DAG ${dagId}: ${said}`, {
    remedy: REMEDIES[code],
    details: { status: response.status },
  });
}

function codeOf(status: number, said: string): keyof typeof REMEDIES {
  if (status === 409) return 'ERR_AIRFLOW_CONFLICT';
  if (status === 404) return 'ERR_DAG_NOT_FOUND';
  return /has import errors/.test(said) ? 'ERR_DAG_IMPORT' : 'ERR_DAG_CONF_INVALID';
}
