import { type Endpoint, SYSTEM_CONNECTION } from './endpoint.ts';
import type { RunContext } from './run-context.ts';

/** Authorisation parameters that the agent does not mask (MaskingUtil.cs); it masks every other, client ids too. */
const OPEN_PARAMETERS = new Set(
  [
    'Role',
    'Scope',
    'TenantId',
    'IssuedAt',
    'ExpiresAt',
    'Audience',
    'AuthenticationType',
    'AuthorizationType',
    'AccessTokenType',
  ]
    .concat([
      'AccessTokenFetchingMethod',
      'UseWindowsSecurity',
      'Unsecured',
      'OAuthAccessTokenIsSupplied',
      'CompleteCallbackPayload',
      'AcceptUntrustedCertificates',
    ])
    .map((name) => name.toLowerCase()),
);

/** The connections of a job, copied because a step may change them, with the job's own; their parameters are masked. */
export function jobEndpoints(run: RunContext, connectionIds: readonly string[], accessToken: string): Endpoint[] {
  const named = run.connections.filter(({ id }) => connectionIds.includes(id));
  const endpoints: Endpoint[] = named.map(({ id, name, url, scheme, parameters, data }) => ({
    id,
    name,
    url,
    scheme,
    parameters: { ...parameters },
    data: { ...data },
  }));
  for (const { parameters } of endpoints) {
    for (const [key, value] of Object.entries(parameters))
      if (!OPEN_PARAMETERS.has(key.toLowerCase())) run.masker.addSupplied(value);
  }
  const url = run.runVariables['System.CollectionUri'] ?? '';
  run.masker.addSupplied(accessToken);
  return [
    ...endpoints,
    {
      id: SYSTEM_CONNECTION,
      name: SYSTEM_CONNECTION,
      url,
      scheme: 'OAuth',
      parameters: { AccessToken: accessToken },
      data: {},
    },
  ];
}
