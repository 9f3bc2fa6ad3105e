import type { ServiceConnection } from '#core/connection.ts';
import { Secret } from '#core/secret.ts';
import { createHttp } from '#http/http.ts';
import type { IdentitySurroundings } from '#identity/connection-identity.ts';
import { gatewayIdentity } from '#identity/gateway-identity.ts';
import type { LocalAzure } from '#local-azure/local-azure.ts';
import type { PipelineRunFacts } from '#local-azure/pipeline-run.ts';

/** The run of a pipeline for which the example's policy is written. */
export const SALES_RUN: PipelineRunFacts = {
  buildId: 4_711,
  buildNumber: '20261121.1',
  definitionId: 7,
  definitionName: 'sales',
  planId: '0b7e4f4e-6f6d-4c62-8a5e-3d2b1c0f9e8d',
  timelineId: '96ac2280-8cb4-5df5-99de-dd2da759617d',
  repository: {
    id: '1d3c5b7a-9e8f-4a6b-8c2d-0e1f2a3b4c5d',
    name: 'retail',
    type: 'TfsGit',
    url: 'https://dev.azure.com/contoso/Retail/_git/retail',
  },
  branch: 'refs/heads/main',
  commit: '5c0e1d2f3a4b5c6d7e8f90a1b2c3d4e5f6071829',
  reason: 'Schedule',
};

/** Headers with which a request proves who sends it. */
export type ProofHeaders = Readonly<Record<string, string>>;

/** What a step in a job of this pipeline sends to the gateway: good for one request, which may be repeated as it is. */
export function pipelineProof(azure: LocalAzure, run: PipelineRunFacts = SALES_RUN): () => Promise<ProofHeaders> {
  const identity = gatewayIdentity(connectionNamed(azure, 'retail-gateway'), surroundingsOf(azure, run));
  return () => identity.headers();
}

function surroundingsOf(azure: LocalAzure, run: PipelineRunFacts) {
  azure.beginRun(run);
  const connectionIds = azure.connections().map(({ id }) => id);
  const { planId, timelineId } = run;
  const jobId = '12f1170f-54f2-53f3-20dd-22fc7dff55f9';
  const { accessToken, oidcRequestUri } = azure.beginJob({ jobId, planId, timelineId, connectionIds });
  const network = { skipVerification: false, caFile: azure.caFile, proxy: { url: azure.proxyUrl, bypass: [] } };
  return {
    system: { url: azure.organization.url, accessToken: new Secret(accessToken) },
    variable: (name: string) => (name === 'System.OidcRequestUri' ? oidcRequestUri : undefined),
    http: createHttp(network),
    mask: () => undefined,
  } satisfies IdentitySurroundings;
}

function connectionNamed(azure: LocalAzure, name: string): ServiceConnection {
  const endpoint = azure.connections().find((one) => one.name === name);
  if (endpoint === undefined) throw new TypeError(`The local Azure has no connection ${name}.`);
  const { id, url, scheme, parameters, data } = endpoint;
  return { id, url, scheme, parameter: (wanted) => entry(parameters, wanted), data: (wanted) => entry(data, wanted) };
}

/** The agent upper-cases the names of both. */
function entry(values: Readonly<Record<string, string>>, wanted: string): string | undefined {
  return Object.entries(values).find(([name]) => name.toLowerCase() === wanted.toLowerCase())?.[1] || undefined;
}
