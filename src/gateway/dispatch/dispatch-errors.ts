import { PlumblineError } from '#core/errors.ts';
import type { PipelineRun, PipelineRunError, PipelineRunRequest } from './pipeline-run.ts';

type Wanted = Pick<PipelineRunRequest, 'organization' | 'project' | 'pipeline'>;

/** Why nothing was queued: what Azure DevOps said, or what stood before it. */
export type RefusalWord =
  | 'sign-in'
  | 'permission'
  | 'not-found'
  | 'invalid'
  | 'identity'
  | 'not-configured'
  | 'unavailable';

/** The identity as a person finds it in Entra ID. */
export interface IdentityName {
  readonly clientId?: string | undefined;
}

export function refused(
  wanted: Wanted,
  reason: RefusalWord,
  message: string,
  { clientId }: IdentityName = {},
): PlumblineError {
  const who = clientId === undefined ? "the gateway's identity" : `the gateway's identity (client id ${clientId})`;
  return new PlumblineError('ERR_PIPELINE_REFUSED', `Cannot queue ${named(wanted)}: ${message}`, {
    remedy: REMEDIES[reason](who, wanted),
    details: { ...wanted, reason },
  });
}

const REMEDIES: Readonly<Record<RefusalWord, (who: string, wanted: Wanted) => string>> = {
  'sign-in': (who, { organization, project, pipeline }) =>
    `Add ${who} as a user of ${organization} (Organization settings, Users) with access to project '${project}', and give it "Queue builds" on pipeline ${pipeline}.`,
  permission: (who, { pipeline }) =>
    `Give ${who} "View builds" and "Queue builds" on pipeline ${pipeline} (the pipeline's Manage security).`,
  'not-found': (who, { project }) =>
    `Check project and id of the pipeline, and that ${who} may see it: "View builds" in project '${project}'.`,
  invalid: () =>
    'Correct the ref or the template parameters: the pipeline says which parameters of which types it has.',
  identity: () => "Check the identity under azureDevOps or identity in the gateway's configuration.",
  'not-configured': (_, { organization, project }) =>
    `Add the organization ${organization} (with project '${project}', if projects are listed) under azureDevOps in the gateway's configuration.`,
  unavailable: () => 'Send the same request with the same key again, later.',
};

export function pipelineUnknown(
  run: Pick<PipelineRun, 'organization' | 'project' | 'pipeline'>,
  why: string,
  since: number,
) {
  const from = new Date(since).toISOString();
  return new PlumblineError('ERR_PIPELINE_UNKNOWN', `Nobody can say what became of ${named(run)}: ${why}`, {
    remedy: `Look at the pipeline's runs in Azure DevOps from ${from} on. When there is none, queue it with another key.`,
    details: { organization: run.organization, project: run.project, pipeline: run.pipeline },
  });
}

export function pipelineDenied(
  wanted: Wanted,
  {
    reasons,
    policy,
  }: { readonly reasons: readonly { reason: string; field?: string | undefined }[]; readonly policy: string },
): PlumblineError {
  const why = [...new Set(reasons.map(({ reason, field }) => (field === undefined ? reason : `${reason} (${field})`)))];
  const told = why.length === 0 ? 'no rule allows it' : why.slice(0, 5).join(', ');
  return new PlumblineError('ERR_PIPELINE_DENIED', `The policy does not allow to queue ${named(wanted)}: ${told}`, {
    remedy: "Ask the policy's owner; 'plumbline policy explain' shows which rule decided.",
    details: { ...wanted, policy, reasons, reason: reasons[0]?.reason ?? 'no-binding' },
  });
}

export function unknownPipelineRun(id: string): PlumblineError {
  return new PlumblineError('ERR_RUN_UNKNOWN', `There is no pipeline run ${id}`, {
    remedy: 'Ask as whoever queued it; ended runs are removed after the time that the operator set.',
    details: { run: id },
  });
}

export function pipelineKeyReused(key: string): PlumblineError {
  return new PlumblineError(
    'ERR_RUN_KEY_REUSED',
    `The key '${key}' was used for another pipeline, ref or other template parameters: nothing was queued`,
    { remedy: 'Use another key for another run.', details: { key } },
  );
}

export function tooManyWaiting(most: number): PlumblineError {
  return new PlumblineError(
    'ERR_QUEUE_FULL',
    `No pipeline run is accepted at the moment: as many wait as may (${most})`,
    {
      remedy: 'Try again later with the same key.',
      details: { most },
    },
  );
}

/** As the run keeps it and its caller sees it. */
export function keptError({ code, message, remedy, details }: PlumblineError): PipelineRunError {
  const { reason } = details;
  return { code, message, ...(remedy !== undefined && { remedy }), ...(typeof reason === 'string' && { reason }) };
}

/** The same as an error again. */
export function asError({ code, message, remedy, reason }: PipelineRunError): PlumblineError {
  return new PlumblineError(code as PlumblineError['code'], message, { remedy, details: { reason } });
}

function named({ organization, project, pipeline }: Wanted): string {
  return `pipeline ${pipeline} of ${organization}/${project}`;
}
