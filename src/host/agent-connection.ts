import * as tl from 'azure-pipelines-task-lib/task.js';
import type { ServiceConnection, SystemConnection } from '#core/connection.ts';
import { Secret } from '#core/secret.ts';

const SYSTEM = 'SYSTEMVSSCONNECTION';

/** The service connection that an input selects, as the agent put it into the task's environment. */
export function agentConnection(input: string): ServiceConnection | undefined {
  const id = tl.getInput(input, false)?.trim();
  if (!id) return undefined;
  return {
    id,
    url: tl.getEndpointUrl(id, true) ?? '',
    scheme: tl.getEndpointAuthorizationScheme(id, true) ?? '',
    parameter: (name) => tl.getEndpointAuthorizationParameter(id, name, true) || undefined,
    data: (name) => tl.getEndpointDataParameter(id, name, true) || undefined,
  };
}

/** The job's own connection; `undefined` outside a job. */
export function agentSystemConnection(): SystemConnection | undefined {
  const url = tl.getEndpointUrl(SYSTEM, true);
  const accessToken = tl.getEndpointAuthorizationParameter(SYSTEM, 'AccessToken', true);
  if (!url || !accessToken) return undefined;
  return { url, accessToken: new Secret(accessToken) };
}
