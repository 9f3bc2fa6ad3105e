// @ts-nocheck: plain JavaScript, because Node 20 runs it as it is.
// Calls the real Azure SDKs as a task behind a proxy does: nothing but HTTPS_PROXY and NODE_EXTRA_CA_CERTS is set, and the
// host names are Microsoft's. Reads a JSON array of calls from standard input, prints a JSON array of their results.
// Runs on every Node that a task may run on.
import { Readable } from 'node:stream';
import { AzurePipelinesCredential, ClientAssertionCredential, ManagedIdentityCredential } from '@azure/identity';
import { SecretClient } from '@azure/keyvault-secrets';
import { getBearerHandler, WebApi } from 'azure-devops-node-api';

const OPERATIONS = {
  token: (call) => tokenClaims(credential(call), call.scope ?? 'https://vault.azure.net/.default'),
  secret: async (call) => {
    const { value, properties } = await vault(call).getSecret(call.name, call.version ? { version: call.version } : {});
    return { value, ...chosen(properties) };
  },
  secrets: (call) => collect(vault(call).listPropertiesOfSecrets()),
  versions: (call) => collect(vault(call).listPropertiesOfSecretVersions(call.name)),
  setSecret: async (call) => chosen((await vault(call).setSecret(call.name, call.value)).properties),
  devops: async (call) => {
    const api = await new WebApi(call.url, getBearerHandler(call.accessToken))[`get${call.area}Api`]();
    const args = (call.args ?? []).map((arg) =>
      arg?.stream === undefined ? arg : Readable.from([Buffer.from(arg.stream)]),
    );
    const result = await api[call.method](...args);
    return typeof result?.pipe === 'function' ? text(result) : result;
  },
};

function credential({ tenant, client, assertion, connection, accessToken, managedIdentity }) {
  if (managedIdentity)
    return new ManagedIdentityCredential(managedIdentity === true ? {} : { clientId: managedIdentity });
  if (connection) return new AzurePipelinesCredential(tenant, client, connection, accessToken);
  return new ClientAssertionCredential(tenant, client, async () => assertion);
}

function vault(call) {
  return new SecretClient(call.vault, credential(call), {
    retryOptions: { maxRetries: call.retries ?? 0, maxRetryDelayInMs: 100 },
  });
}

async function tokenClaims(source, scope) {
  const { token, expiresOnTimestamp } = await source.getToken(scope);
  return { ...JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString()), expiresOnTimestamp };
}

function chosen({ name, version, enabled, expiresOn, notBefore, contentType, tags }) {
  return { name, version, enabled, expiresOn, notBefore, contentType, tags };
}

async function collect(items) {
  const found = [];
  for await (const item of items) found.push(chosen(item));
  return found;
}

async function text(stream) {
  const parts = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts).toString('utf8');
}

// The SDK drops or renames the inner error from version to version; the body has it.
function innerCode(body) {
  return body?.startsWith('{') ? JSON.parse(body).error?.innererror?.code : undefined;
}

function described(error) {
  const { name, statusCode, code, message = '', details, response } = error;
  return {
    name,
    status: statusCode,
    code,
    inner: innerCode(response?.bodyAsText) ?? details?.error?.innerError?.code,
    aadsts: /AADSTS(\d+)/.exec(message)?.[1],
    message: message.slice(0, 600),
  };
}

const parts = [];
for await (const part of process.stdin) parts.push(part);
const results = [];
for (const call of JSON.parse(Buffer.concat(parts).toString())) {
  try {
    results.push({ ok: (await OPERATIONS[call.op](call)) ?? null });
  } catch (error) {
    results.push({ error: described(error) });
  }
}
process.stdout.write(JSON.stringify(results));
