import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import type { AzureDeclaration } from '#local-azure/declaration.ts';
import { pythonOf } from '../../scripts/python-environments.mjs';
import { ROOT } from '../../scripts/repository.ts';
import { codesOf, JobFolder, type JobRun, MODULES, messagesOf } from '../support/agent-job-run.ts';
import { sampleDeclaration } from '../support/local-azure.ts';

const ORGANIZATION = '3f6b0d4e-0000-4000-8000-000000000001';
const ISSUER = `https://vstoken.dev.azure.com/${ORGANIZATION}`;

/** What is wrong, and what the step has to say of it. */
interface Refusal {
  readonly name: string;
  readonly connection: string;
  readonly vault?: string;
  readonly secret?: string;
  readonly code: string;
  readonly says: readonly RegExp[];
}

const subject = (connection: string) => `sc://fabrikam/demo/${connection}`;
const rejected = (name: string, ...says: RegExp[]): Refusal => ({
  name,
  connection: name,
  code: 'ERR_IDENTITY_REJECTED',
  // The agent masks these two, as it does most parameters of a connection: the remedy says where they stand.
  says: [/issuer '\*\*\*', subject '\*\*\*', audience 'api:\/\/AzureADTokenExchange'/, ...says],
});
const secret = (name: string, code: string, ...says: RegExp[]): Refusal => ({
  name,
  connection: 'azure',
  secret: name,
  code,
  says,
});
const vault = (name: string, code: string, ...says: RegExp[]): Refusal => ({
  name,
  connection: 'azure',
  vault: name,
  code,
  says,
});

const REFUSALS: readonly Refusal[] = [
  rejected('unknownapp', /AADSTS700016/, /check the client id and the tenant id of the connection/),
  rejected(
    'wrongissuer',
    /AADSTS700211/,
    /copy issuer and subject exactly .* the form that edits the service connection/,
  ),
  rejected('wrongaudience', /AADSTS700212/, /copy 'api:\/\/AzureADTokenExchange' as its audience/),
  rejected('wrongsubject', /AADSTS700213/, /copy the subject exactly .* the form that edits the service connection/),
  {
    name: 'wrongtenant',
    connection: 'wrongtenant',
    code: 'ERR_SECRET_FORBIDDEN',
    says: [/it trusts tenant .* signs in to tenant 55555555-0000/, /Use a connection of the vault's tenant/],
  },
  {
    name: 'stored',
    connection: 'stored',
    code: 'ERR_CONNECTION_STORED_SECRET',
    says: [/it stores a secret in Azure DevOps\. Convert it/],
  },
  {
    name: 'unnamed',
    connection: 'unnamed',
    code: 'ERR_IDENTITY_OIDC_UNAVAILABLE',
    says: [/no explicit reference to service connection/, /Name the connection in the input of this step/],
  },
  secret('missing', 'ERR_SECRET_NOT_FOUND', /there is no such secret/, /az keyvault secret list/),
  secret('gone', 'ERR_SECRET_NOT_FOUND', /az keyvault secret recover/),
  secret('disabled', 'ERR_SECRET_DISABLED', /it is disabled/, /Enable it/),
  secret('future', 'ERR_SECRET_NOT_YET_VALID', /not (yet )?valid/, /Correct its activation date/),
  vault('norole', 'ERR_SECRET_FORBIDDEN', /no role that reads secrets/, /Assign 'Key Vault Secrets User'/),
  vault('nopolicy', 'ERR_SECRET_FORBIDDEN', /no access policy of this vault lets/, /secret permission 'Get'/),
  vault('walled', 'ERR_SECRET_FORBIDDEN', /firewall does not know the address/, /Allow the address/),
  vault('throttled', 'ERR_VAULT_THROTTLED', /too many requests/, /Read fewer secrets/),
  vault('broken', 'ERR_VAULT_UNREACHABLE', /Cannot reach https:\/\/broken\.vault\.azure\.net/, /can be reached from/),
  vault('outside', 'ERR_VAULT_UNREACHABLE', /outside\.vault\.azure\.net/, /to be allowed on the proxy/),
];

function world(): AzureDeclaration {
  const sample = sampleDeclaration();
  const federated = (name: string) =>
    ({ name, scheme: 'WorkloadIdentityFederation', issuerType: 'AzureDevOps' }) as const;
  const application = (name: string, digit: string, issuer: string, to: string, audience?: string) => ({
    name,
    clientId: `${digit.repeat(8)}-0000-4000-8000-000000000000`,
    federatedCredentials: [{ issuer, subject: to, ...(audience && { audience }) }],
  });
  const plain = { plain: 'a plain value' };
  return {
    ...sample,
    organization: { ...sample.organization, id: ORGANIZATION },
    identities: [
      ...(sample.identities ?? []),
      application('wrongissuer', '1', 'https://vstoken.dev.azure.com/elsewhere', subject('wrongissuer')),
      application('wrongaudience', '2', ISSUER, subject('wrongaudience'), 'api://somethingelse'),
      application('wrongsubject', '3', ISSUER, subject('WrongSubject')),
    ],
    connections: [
      ...(sample.connections ?? []),
      { ...federated('unknownapp'), clientId: '44444444-0000-4000-8000-000000000000' },
      ...['wrongissuer', 'wrongaudience', 'wrongsubject'].map((name) => ({ ...federated(name), identity: name })),
      {
        ...federated('wrongtenant'),
        tenant: '55555555-0000-4000-8000-000000000000',
        clientId: '44444444-0000-4000-8000-000000000000',
      },
      { ...federated('unnamed'), identity: 'workflows' },
    ],
    vaults: [
      ...(sample.vaults ?? []),
      { name: 'norole', secrets: plain },
      { name: 'nopolicy', permissionModel: 'accessPolicy', secrets: plain },
      { name: 'throttled', secrets: plain },
      { name: 'broken', secrets: plain },
    ],
    faults: [
      { host: 'throttled.vault.azure.net', kind: 'status', status: 429, retryAfter: 0 },
      { host: 'broken.vault.azure.net', kind: 'reset' },
    ],
  };
}

describe('RunLuigi@1: identity and secrets that are refused', function () {
  this.timeout(120_000);
  let folder: JobFolder;
  let run: JobRun;

  before(async () => {
    folder = new JobFolder();
    const steps = REFUSALS.map(({ name, connection, vault: keyVault = 'myvault', secret: secretName = 'plain' }) =>
      folder.luigi(name, {
        module: 'imported',
        task: 'Length',
        azureSubscription: connection,
        keyVault,
        secrets: `VALUE: ${secretName}`,
      }),
    );
    const expired = folder.luigi('expired', {
      module: 'imported',
      task: 'Length',
      azureSubscription: 'azure',
      keyVault: 'myvault',
      secrets: 'VALUE: expired',
    });
    run = await folder.run({ steps: [...steps, expired], azure: world(), unnamed: ['unnamed'] });
  });

  after(() => folder.remove());

  for (const { name, code, says } of REFUSALS) {
    it(`${name}: ${code}, before anything starts`, () => {
      const step = run.step(name);
      assert.equal(step.result, 'Failed', run.log);
      assert.deepEqual(codesOf(step), [code], messagesOf(step).join('\n'));
      for (const words of says) assert.match(messagesOf(step).join('\n'), words);
      assert.equal(existsSync(folder.file(name, 'imported')), false, 'no code of the user was reached');
      assert.equal(step.outputs.get('runId'), undefined, 'no run was begun');
    });
  }

  it('an expired secret is used, with a warning', () => {
    const step = run.step('expired');
    assert.equal(readFileSync(folder.file('expired', 'out/length.txt'), 'utf8'), String('stale'.length));
    assert.equal(step.result, 'Succeeded');
    assert.match(messagesOf(step, 'warning').join('\n'), /secret 'expired' .* expired on 2020-01-01/);
  });

  it('no message shows a token or a stored secret', () => {
    for (const { place, text } of run.texts) assert.doesNotMatch(text, /eyJ[\w-]{8}|a-stored-secret/, place);
  });
});

describe('RunLuigi@1: a token that is too old', () => {
  it('is refused with the clock as its remedy', async () => {
    const folder = new JobFolder();
    try {
      const inputs = { module: 'imported', task: 'Length', azureSubscription: 'azure' };
      const { step } = await folder.run({
        steps: [folder.luigi('late', { ...inputs, keyVault: 'myvault', secrets: 'VALUE: plain' })],
        azure: sampleDeclaration({
          lifetimes: { idToken: 1 },
          faults: [{ host: 'login.microsoftonline.com', path: '*/token', kind: 'latency', delayMs: 2_000 }],
        }),
      });
      assert.deepEqual(codesOf(step('late')), ['ERR_IDENTITY_REJECTED']);
      assert.match(messagesOf(step('late')).join('\n'), /AADSTS700024.* check the clock of the agent/);
      assert.equal(existsSync(folder.file('late', 'imported')), false);
    } finally {
      folder.remove();
    }
  });
});

describe('RunLuigi@1: taskIdentity', () => {
  it("lets Python's DefaultAzureCredential read a secret as the connection, and takes the token away afterwards", async () => {
    const folder = new JobFolder();
    let left: boolean | undefined;
    const written = () => readFileSync(folder.file('reads', 'out/digest.txt'), 'utf8').split(' ');
    const inputs = {
      module: 'reads_vault',
      task: 'ReadsVault',
      python: pythonOf(ROOT, 'clouds'),
      parameters: 'vault: https://myvault.vault.azure.net\nname: api-key',
      azureSubscription: 'azure',
      taskIdentity: 'connection',
    };
    // What Python's own libraries need to know of proxy and authority, from the agent's own settings.
    const env = { HTTPS_PROXY: '$(Agent.ProxyUrl)', REQUESTS_CA_BUNDLE: '$(Agent.CAInfo)', PYTHONPATH: MODULES };
    try {
      const run = await folder.run({
        steps: [folder.luigi('reads', inputs, { env })],
        azure: sampleDeclaration(),
        onEvent: (event) => {
          if (event.kind === 'step-ended' && event.record.displayName === 'reads')
            left = existsSync(written()[2] ?? '');
        },
      });
      assert.equal(run.step('reads').result, 'Succeeded', run.log);
      const [digest, mode] = written();
      assert.equal(digest, createHash('sha256').update('new').digest('hex'));
      assert.equal(mode, '600');
      assert.equal(left, false, 'the token file went with the run');
      const reads = run.exchanges.filter(({ host, status }) => host === 'myvault.vault.azure.net' && status === 200);
      assert.equal(reads.length, 1, 'it was user code that read');
      for (const { place, text } of run.texts) assert.doesNotMatch(text, /eyJ[\w-]{8}/, place);
    } finally {
      folder.remove();
    }
  });
});
