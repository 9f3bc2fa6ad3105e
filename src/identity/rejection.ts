import type { ServiceConnection } from '#core/connection.ts';
import { PlumblineError } from '#core/errors.ts';
import type { AssertionClaims } from './assertion.ts';

const TROUBLESHOOT = 'https://aka.ms/azdo-rm-workload-identity-troubleshooting';
const CREDENTIAL = 'Open the federated credential of the app registration or managed identity and copy';
/** An agent masks almost every parameter of a connection, secret or not (MaskingUtil.cs). */
const HIDDEN = 'Where the log hides them as ***, the form that edits the service connection shows issuer and subject.';

/**
 * What to do about each refusal of Entra ID. Source: Microsoft's "AADSTS error codes" and "Troubleshoot an Azure
 * Resource Manager workload identity service connection" (2026-03).
 */
const REMEDIES: Readonly<Record<string, string>> = {
  '700016': 'The application does not exist in this tenant: check the client id and the tenant id of the connection.',
  '700038': 'The client id of the connection is no application id: correct the connection.',
  '700211': `No federated credential has this issuer. ${CREDENTIAL} issuer and subject exactly as shown here. ${HIDDEN}`,
  '70021': `No federated credential has this issuer and subject. ${CREDENTIAL} both exactly as shown here. ${HIDDEN}`,
  '700212': `No federated credential has this audience. ${CREDENTIAL} 'api://AzureADTokenExchange' as its audience.`,
  '700213': `No federated credential has this subject (case matters). ${CREDENTIAL} the subject exactly as shown here. It changes when organisation, project or connection are renamed. ${HIDDEN}`,
  '700223': 'The tenant does not allow this issuer: ask for an exception in its app management policy.',
  '700222':
    'This kind of account cannot use a federated credential: use an app registration or a user-assigned managed identity.',
  '700238':
    'A managed identity cannot be reached by this federated credential: check the region support of federated credentials.',
  '700024':
    'The ID token is outside its time of validity: check the clock of the agent (`timedatectl`); it must not differ by more than 5 minutes.',
  '700027':
    'The signature of the ID token was not accepted: check the issuer of the federated credential, and the proxy for changing requests.',
  '50013':
    'The signature of the ID token was not accepted: a credential that was changed minutes ago may need time; then check its issuer.',
  '50027':
    'The ID token is not valid: check the issuer of the federated credential and the proxy for changing requests.',
  '90002': 'The tenant does not exist in this cloud: check the tenant id and the environment of the connection.',
  '900023': 'The tenant id of the connection is neither a GUID nor a domain name: correct the connection.',
  '7000215':
    'Entra ID took the request for one with a client secret: the connection must use workload identity federation.',
  '7000218': 'Entra ID got no assertion: check the proxy for changing requests.',
  '7000222':
    'Entra ID took the request for one with an expired client secret: convert the connection to workload identity federation.',
  '7000112': 'The application is disabled in this tenant: ask its owner to enable it.',
  '700030': 'The certificate or key of the issuer is not known to Entra ID: wait some minutes and try again.',
  '500011': 'The resource does not exist in this tenant: check the cloud of the connection and the address asked for.',
  '1002012': 'The scope is not allowed here: please open an issue.',
  '53003':
    'A Conditional Access policy of the tenant blocks it: ask for the workload identity, or the address of the agent, to be allowed.',
  '530035': 'Security defaults of the tenant block it: ask the tenant administrator.',
};

const OTHER = `Look up the code at https://login.microsoftonline.com/error and see ${TROUBLESHOOT}.`;

/** Everything that explains a refusal; none of it is secret. */
export interface RefusedExchange {
  readonly connection: ServiceConnection;
  readonly tenantId: string;
  readonly clientId: string;
  readonly authority: string;
  readonly claims: AssertionClaims | undefined;
}

/**
 * The refusal of Entra ID as an error with issuer, subject, audience and remedy. Never with the assertion: the error of
 * the SDK, which holds the request, does not become its cause.
 */
export function rejection(thrown: unknown, exchange: RefusedExchange): PlumblineError {
  const text = scrubbed(thrown instanceof Error ? thrown.message : String(thrown));
  const code = /AADSTS(\d+)/.exec(text)?.[1];
  const { connection, claims, tenantId, clientId, authority } = exchange;
  const facts = [
    `client ${clientId}`,
    `tenant ${tenantId}`,
    ...(claims ? [`issuer '${claims.issuer}'`, `subject '${claims.subject}'`, `audience '${claims.audience}'`] : []),
  ].join(', ');
  return new PlumblineError(
    'ERR_IDENTITY_REJECTED',
    `Entra ID refused service connection ${connection.id} (${facts}): ${sentence(text)}`,
    {
      remedy: (code && REMEDIES[code]) ?? OTHER,
      cause: new Error(text),
      details: {
        aadsts: code,
        connection: connection.id,
        authority,
        tenantId,
        clientId,
        issuer: claims?.issuer,
        subject: claims?.subject,
        audience: claims?.audience,
        traceId: /Trace ID: ([0-9a-f-]{36})/i.exec(text)?.[1],
        correlationId: /Correlation ID: ([0-9a-f-]{36})/i.exec(text)?.[1],
      },
    },
  );
}

/** Removes anything that looks like a JWT, wherever a library may quote one, and bounds the rest. */
function scrubbed(text: string): string {
  return text.replace(/eyJ[\w-]*(?:\.[\w-]*)*/g, '***').slice(0, 1_000);
}

/** From the AADSTS code to the trailer that support needs; that one is in the details. */
function sentence(text: string): string {
  const start = Math.max(0, text.indexOf('AADSTS'));
  return (
    text
      .slice(start)
      .split(/\s*(?:Trace ID:|\r|\n)/)[0]
      ?.slice(0, 400) ?? ''
  );
}
