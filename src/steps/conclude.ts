import type { Host } from '#core/host.ts';
import type { Provenance } from '#core/provenance.ts';
import type { Finding, RunOutcome, RunRef } from '#core/run.ts';
import type { StepResult } from '#core/step.ts';
import { type Delivery, deliver } from './deliver.ts';
import { issuesOf } from './issues.ts';

/** Shows findings as issues of the pipeline run. */
export function tell(findings: readonly Finding[], { source }: Provenance, host: Host): void {
  for (const issue of issuesOf(findings, source)) host.issue(issue);
}

/**
 * Delivers what is kept of a run that ended, and says how it did.
 * @param withIssues the run succeeded, and there is something to look at all the same
 */
export async function conclude(
  ref: RunRef,
  outcome: RunOutcome,
  delivery: Delivery,
  withIssues = false,
): Promise<StepResult> {
  const { host, signal, provenance } = delivery;
  const undelivered = await deliver(ref, outcome, delivery);
  tell(undelivered, provenance, host);
  const message = outcome.summary ?? `The run ended as ${outcome.state}.`;
  host.log.info(message);
  if (outcome.state !== 'succeeded') return { result: signal.aborted ? 'Canceled' : 'Failed', message };
  return { result: undelivered.length > 0 || withIssues ? 'SucceededWithIssues' : 'Succeeded', message };
}
