import type { ServiceConnection } from '#core/connection.ts';
import type { ConnectionIdentity } from '#identity/connection-identity.ts';
import type { IdentityFacts } from '#report/schema.ts';

/** Whom a connection stands for, as the report tells it. */
export function identityFacts(identity: ConnectionIdentity, connection: ServiceConnection | undefined): IdentityFacts {
  return {
    kind: identity.kind,
    clientId: identity.clientId,
    tenantId: identity.tenantId,
    connection: { id: identity.connectionId },
    issuer: connection?.parameter('workloadIdentityFederationIssuer'),
    subject: connection?.parameter('workloadIdentityFederationSubject'),
  };
}
