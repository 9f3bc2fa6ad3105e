/** A duration as core/duration.ts reads it, in the words of a schema. */
const duration = (description: string, standard: string) =>
  ({ type: 'string', pattern: '^\\d+(\\.\\d+)?\\s*(ms|s|m|h|d)$', default: standard, description }) as const;

/** Where a schema may not say the default: the reader has it. */
const optionalDuration = (description: string) => {
  const { default: _, ...field } = duration(description, '');
  return field;
};

const count = (description: string, minimum: number, maximum: number, standard: number) =>
  ({ type: 'integer', minimum, maximum, default: standard, description }) as const;

const text = (description: string) => ({ type: 'string', minLength: 1, maxLength: 4096, description }) as const;

const map = <Properties extends object>(description: string, properties: Properties, required: string[] = []) =>
  ({ type: 'object', additionalProperties: false, required, default: {}, description, properties }) as const;

const section = <Properties extends object>(description: string, properties: Properties, required: string[] = []) =>
  ({ type: 'object', additionalProperties: false, required, description, properties }) as const;

const port = (description: string) => ({ type: 'integer', minimum: 0, maximum: 65535, description }) as const;

const signingKeys = (description: string, publishFor: string) =>
  ({
    description,
    default: { kind: 'files' },
    anyOf: [
      section(
        'In the state directory.',
        {
          kind: { const: 'files' },
          rotateEvery: optionalDuration('A new key after so long; 0s: only by hand. Default: 30d.'),
          publishFor: optionalDuration(`A new key is published for so long before it signs. Default: ${publishFor}.`),
        },
        ['kind'],
      ),
      section(
        'In Azure Key Vault; they never leave it.',
        {
          kind: { const: 'azure-key-vault' },
          vault: text('Name or URL of the vault.'),
          key: text('Name of an RSA key. Each version of it is a key.'),
          publishFor: optionalDuration(
            `A new version is published for so long before it signs. Default: ${publishFor}.`,
          ),
        },
        ['kind', 'vault', 'key'],
      ),
    ],
  }) as const;

const AIRFLOW_SCHEMA = section(
  'An Airflow 3 whose `[api_auth] trusted_jwks_url` is this gateway.',
  {
    url: text('Of its API server; https, or http on loopback.'),
    issuer: text("`iss` of the gateway's tokens for it. Without it publicUrl and /airflow/<name>."),
    airflowIssuer: text('`iss` of its own tokens: the first of `[api_auth] jwt_issuer`. Without it url.'),
    audience: text('Its `[api_auth] jwt_audience`. No other Airflow has the same.'),
    taskAudience: {
      ...text('Its `[execution_api] jwt_audience`, which `audience` must not be.'),
      default: 'urn:airflow.apache.org:task',
    },
    authManager: { enum: ['simple', 'fab'], description: 'simple: the token says the role. fab: its database does.' },
    publicKeys: text(
      'JWKS file with the public keys by which it signs itself. Read again when it changes. Relative to this file.',
    ),
    keys: signingKeys('Where the keys for this Airflow alone are. They sign as it does.', '2h'),
    lifetime: duration('Of a token.', '10m'),
  },
  ['url', 'audience', 'authManager', 'publicKeys'],
);

/** Where an identity comes from. */
const AZURE_IDENTITY = {
  kind: {
    enum: ['default', 'managed', 'workload'],
    default: 'default',
    description: 'default: the chain of DefaultAzureCredential. managed, workload: that one only.',
  },
  clientId: {
    type: 'string',
    pattern: '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$',
    description: 'Of a user-assigned managed identity or an application.',
  },
} as const;

/** The JSON Schema (2020-12) of `gateway.yaml`; published as docs/schemas/gateway-config.schema.json. */
export const GATEWAY_CONFIG_SCHEMA = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  $id: 'https://plumbline.dev/schemas/gateway-config.schema.json',
  title: 'Plumbline gateway: gateway.yaml',
  type: 'object',
  additionalProperties: false,
  required: ['apiVersion', 'stateDirectory', 'runsDirectory', 'policyFile'],
  properties: {
    apiVersion: { const: 'plumbline.dev/gateway/v1', description: 'The version of this file.' },
    listen: map('Where callers connect.', {
      host: {
        ...text('An address of this machine. Other than loopback needs `tls` or `behindProxy`.'),
        default: '127.0.0.1',
      },
      port: { ...port('0 takes a free one.'), default: 8443 },
    }),
    tls: section(
      'The gateway ends TLS itself. The files are read again when they change.',
      {
        certFile: text('PEM file with the certificate and its chain.'),
        keyFile: text('PEM file with the private key; only the gateway may read it.'),
      },
      ['certFile', 'keyFile'],
    ),
    behindProxy: section(
      'A proxy ends TLS. Not together with `tls`.',
      {
        trustedProxies: {
          type: 'array',
          minItems: 1,
          maxItems: 64,
          uniqueItems: true,
          items: text('An address or a network, e.g. 10.0.0.5 or 10.0.0.0/24.'),
          description: 'Only from there X-Forwarded-* is read and a token is accepted.',
        },
      },
      ['trustedProxies'],
    ),
    publicUrl: text('The address that callers use; links in answers begin with it. https, or http on loopback.'),
    metrics: section('Prometheus metrics on a listener of their own, without authentication.', {
      host: { ...text('An address of this machine.'), default: '127.0.0.1' },
      port: { ...port('0 takes a free one.'), default: 9464 },
    }),
    stateDirectory: text('Store, keys, audit and bundles. Owned by the gateway, mode 0700. Relative to this file.'),
    runsDirectory: text('One folder for each attempt of a run. Outside of stateDirectory. Relative to this file.'),
    policyFile: text('Who may run what. Read again when it changes. Relative to this file.'),
    luigid: {
      description:
        'The luigid beside the gateway, for roles that name no scheduler; without it they run with the local one of Luigi.',
      anyOf: [
        text('URL of a luigid that everybody reaches by himself. No user info.'),
        section('A luigid that is reached through the gateway only. Exactly one of the two.', {
          socket: text('Path of the Unix socket that luigid listens on. Relative to this file.'),
          url: text('URL of a luigid that still listens on TCP. No user info.'),
        }),
      ],
    },
    issuer: section('The gateway as an issuer of short-lived tokens for tasks.', {
      url: text('`iss` of its tokens; https. Without it publicUrl.'),
      lifetime: duration('Of a token.', '10m'),
      keys: signingKeys('Where the signing keys are.', '1d'),
    }),
    airflow: {
      type: 'object',
      default: {},
      maxProperties: 64,
      propertyNames: { pattern: '^[a-z][a-z0-9-]{0,62}$' },
      description: 'Airflows, by name, that trust the keys of this gateway: it issues tokens for their users.',
      additionalProperties: AIRFLOW_SCHEMA,
    },
    azureDevOps: {
      type: 'array',
      default: [],
      maxItems: 64,
      description: 'Organizations of Azure DevOps whose pipelines the gateway queues, as the policy says for whom.',
      items: section(
        'An organization, or some projects of it.',
        {
          organization: text('Name, https://dev.azure.com/name or https://name.visualstudio.com.'),
          projects: {
            type: 'array',
            minItems: 1,
            maxItems: 256,
            uniqueItems: true,
            items: text('Name of a project.'),
            description: 'For these only. Without it: for every project that no other entry names.',
          },
          identity: section('As whom; without it the identity of the gateway.', AZURE_IDENTITY, ['kind']),
        },
        ['organization'],
      ),
    },
    signIn: section(
      "How people sign in to luigid's pages: OpenID Connect, code flow with PKCE.",
      {
        issuer: text('Of the provider; https, or http on loopback.'),
        clientId: text('Of this gateway at the provider.'),
        clientSecretFile: text('Without it the gateway is a public client. Relative to this file.'),
        scopes: {
          type: 'array',
          minItems: 1,
          maxItems: 16,
          uniqueItems: true,
          default: ['openid', 'profile'],
          items: text('A scope.'),
          description: 'Must contain openid.',
        },
        session: duration('A session ends after this, whatever is done with it.', '8h'),
      },
      ['issuer', 'clientId'],
    ),
    isolation: {
      enum: ['users', 'none'],
      default: 'users',
      description:
        'users: workers run as the Unix user of their role, which needs the right to switch users. none: as the gateway.',
    },
    limits: map('How much at once.', {
      runs: count('Runs at the same time, of all roles.', 1, 10_000, 8),
      queued: count('Runs that wait. One more is refused.', 0, 1_000_000, 1_000),
      bodyBytes: count('Of a request with JSON.', 1_024, 16_777_216, 262_144),
      connections: count('Open connections.', 16, 100_000, 4_096),
      requestsPerCaller: count('A minute, by verified caller.', 1, 10_000_000, 6_000),
      requestsPerAddress: count('A minute, by address, before a token is looked at.', 1, 10_000_000, 12_000),
      watchers: count('Open event streams, and requests that wait for a pipeline run.', 1, 100_000, 2_048),
    }),
    timeouts: map('How long.', {
      request: duration('Until a request has arrived whole.', '30s'),
      headers: duration('Until its headers have arrived.', '10s'),
      keepAlive: duration('A connection without a request is closed after this.', '20s'),
      upload: duration('Until a bundle has arrived whole.', '10m'),
      slowWatcher: duration('A watcher that reads nothing for so long is let go; it can resume.', '1m'),
      heartbeat: duration('Between two comments on an event stream without events.', '15s'),
      shutdown: duration('From SIGTERM to the end of the gateway. Workers go on.', '20s'),
    }),
    retention: map('How long what ended is kept.', {
      runs: duration('Runs with their events, output and folders. The audit log is never deleted.', '30d'),
      bundles: duration('Uploaded bundles that no run has used since.', '7d'),
    }),
    audit: map('Checkpoints of the audit log.', {
      checkpointEvery: duration('A signed checkpoint at least so often.', '5m'),
      checkpointRecords: count('And after so many records.', 1, 1_000_000, 1_000),
      exportDirectory: text('Each checkpoint is copied there: a mount of another machine. Relative to this file.'),
    }),
    identity: map("The gateway's own identity towards Key Vault and Azure DevOps.", AZURE_IDENTITY),
    logging: map('The JSON log on standard output.', {
      level: {
        enum: ['trace', 'debug', 'info', 'warn', 'error'],
        default: 'info',
        description: 'The least that is told.',
      },
    }),
    network: map('How the gateway reaches issuers and vaults. Without it HTTPS_PROXY and NO_PROXY hold.', {
      proxy: section(
        'A proxy for all of it.',
        {
          url: text('http or https, without user info.'),
          username: text('For a proxy that asks for one.'),
          passwordFile: text('Holds the password, one line; only the gateway may read it.'),
          bypass: {
            type: 'array',
            maxItems: 256,
            default: [],
            items: text('A host name, or .example.com for all below it.'),
            description: 'Reached directly.',
          },
        },
        ['url'],
      ),
      caFile: text('PEM file with further trusted certificate authorities. Relative to this file.'),
    }),
  },
} as const;
