import type { ApiCall, ApiResource } from './devops-api.ts';
import { DevOpsError } from './devops-error.ts';
import { checkPlan } from './plan-api.ts';

const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export const oidcTokenResource: ApiResource = {
  POST: async (call) => {
    checkPlan(call);
    checkJob(call);
    const connection = call.request.url.searchParams.get('serviceConnectionId');
    // A name instead of an id is silently taken as no connection at all.
    const oidcToken =
      connection !== null && GUID.test(connection)
        ? await connectionToken(call, connection)
        : await call.idTokens.forPipeline(call.run);
    return { oidcToken };
  },
};

/** A job's token speaks for this job alone. */
function checkJob({ values, holder }: ApiCall): void {
  if (values['jobId']?.toLowerCase() === holder.jobId.toLowerCase()) return;
  throw new DevOpsError(
    404,
    'TaskOrchestrationJobNotFoundException',
    `No job found with identifier ${values['jobId']}.`,
    'Microsoft.TeamFoundation.DistributedTask.WebApi',
  );
}

function connectionToken(call: ApiCall, id: string): Promise<string> {
  const wanted = id.toLowerCase();
  const connection = call.world.connections.find((each) => each.id === wanted);
  const named =
    call.run.jobs.get(call.holder.jobId)?.connectionIds.some((each) => each.toLowerCase() === wanted) ?? false;
  if (connection === undefined || !named) throw new ReferenceMissing(wanted, call.holder.jobId);
  if (connection.scheme !== 'WorkloadIdentityFederation') {
    throw new DevOpsError(
      400,
      'InvalidServiceEndpointException',
      `The service connection ${connection.name} does not use workload identity federation.`,
      'Microsoft.VisualStudio.Services.ServiceEndpoints.WebApi',
    );
  }
  return call.idTokens.forConnection(connection);
}

/** The service answers this one refusal as wrapped text and not as its usual error document (dotnet/docker-tools issue 2012). */
class ReferenceMissing extends DevOpsError {
  constructor(connectionId: string, job: string) {
    super(
      400,
      'ReferenceMissing',
      `There is no explicit reference to service connection ${connectionId} from current stage __default.${job}.__default.`,
    );
  }

  override reply() {
    return { status: this.status, body: { count: this.message.length, value: this.message } };
  }
}
