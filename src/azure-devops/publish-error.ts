import { PlumblineError } from '#core/errors.ts';
import type { NetworkSettings } from '#core/network.ts';
import { isTransientCode, networkRemedy } from '#http/http-error.ts';
import type { AttemptOutcome } from '#http/retry.ts';

const PERMISSION =
  "Give the build service identity ('<project> Build Service' or 'Project Collection Build Service') the permission 'Update build information' on the pipeline.";
const JOB_TOKEN = "The job's own token was not accepted; it ends with the job's time-out. Run the job again.";
const LATER = 'Azure DevOps does not answer as it should; run the job again, and see https://status.dev.azure.com.';

/** How azure-devops-node-api failed, as the rules for trying again see it. Its own time-out has no code. */
export function outcomeOf(thrown: unknown): AttemptOutcome {
  const status = field(thrown, 'statusCode');
  if (typeof status !== 'number') {
    const timedOut = thrown instanceof Error && thrown.message.startsWith('Request timeout');
    return { transient: timedOut || isTransientCode(field(thrown, 'code')) };
  }
  const headers = field(thrown, 'responseHeaders');
  const retryAfter = field(headers, 'retry-after');
  return { status, retryAfter: typeof retryAfter === 'string' ? retryAfter : undefined };
}

/** A failure of azure-devops-node-api as an error of ours; errors of ours pass. */
export function publishError(
  thrown: unknown,
  what: string,
  { url, network }: { url: string; network: NetworkSettings },
): PlumblineError {
  if (thrown instanceof PlumblineError) return thrown;
  const status = field(thrown, 'statusCode');
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const why = `${typeof status === 'number' ? `HTTP ${status}, ` : ''}${message.split(/[\r\n]/)[0]?.slice(0, 300)}`;
  const remedy =
    typeof status === 'number' ? statusRemedy(status) : networkRemedy(thrown, new URL(url).hostname, network);
  return new PlumblineError('ERR_PUBLISH_FAILED', `Cannot ${what}: ${why}`, {
    remedy,
    cause: new Error(message.slice(0, 1_000)),
    details: { status },
  });
}

function statusRemedy(status: number): string | undefined {
  if (status === 403) return PERMISSION;
  if (status === 401 || status === 203) return JOB_TOKEN;
  return status === 429 || status >= 500 ? LATER : undefined;
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
