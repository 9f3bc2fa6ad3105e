import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AzureDeclaration } from '#local-azure/declaration.ts';
import { type LocalAzure, startLocalAzure } from '#local-azure/local-azure.ts';
import { pythonOf } from '../../scripts/python-environments.mjs';
import { ROOT } from '../../scripts/repository.ts';
import { type LocalClouds, startLocalClouds } from '../support/task-identity-clouds.ts';
import { type IssuerFront, startIssuerFront } from '../support/task-identity-front.ts';
import { ISSUER_HOST, sha256, TaskIdentityGateway } from '../support/task-identity-gateway.ts';
import { bindingsOf } from '../support/task-identity-policy.ts';

const TENANT = '4f1c6c5e-2b7a-4d0e-9a53-6c1f0b8d7e21';
const SALES = 'aaaaaaaa-2b7a-4d0e-9a53-6c1f0b8d7e21';
const STOCK = 'bbbbbbbb-2b7a-4d0e-9a53-6c1f0b8d7e21';
const SECRETS = { sales: 'the secret of sales', stock: 'the secret of stock' };
const AWS_ROLE = 'arn:aws:iam::123456789012:role/lake';
const PROVIDER = '//iam.googleapis.com/projects/123/locations/global/workloadIdentityPools/jobs/providers/plumbline';
const ACCOUNT = 'lake@contoso.iam.gserviceaccount.com';

/** Two applications that trust one subject of the gateway each, and a vault for each. */
function azureOf({ declared }: IssuerFront): AzureDeclaration {
  const identity = (name: string, clientId: string) => ({
    name,
    clientId,
    federatedCredentials: [{ issuer: declared.issuer, subject: `plumbline:${name}` }],
  });
  return {
    organization: { name: 'contoso' },
    project: { name: 'Retail' },
    tenants: [{ id: TENANT, name: 'contoso' }],
    identities: [identity('sales', SALES), identity('stock', STOCK)],
    issuers: [declared],
    vaults: Object.entries(SECRETS).map(([name, canary]) => ({ name: `contoso-${name}`, secrets: { canary } })),
    roleAssignments: Object.keys(SECRETS).map((name) => ({
      identity: name,
      role: 'Key Vault Secrets User',
      vault: `contoso-${name}`,
    })),
  };
}

describe('the tasks of a run and their identities towards clouds', function () {
  this.timeout(120_000);
  let front: IssuerFront;
  let azure: LocalAzure;
  let clouds: LocalClouds;
  let gateway: TaskIdentityGateway;

  before(async () => {
    front = await startIssuerFront(ISSUER_HOST);
    azure = await startLocalAzure(azureOf(front));
    clouds = await startLocalClouds({
      issuer: front.declared,
      awsRoles: { [AWS_ROLE]: 'plumbline:lake' },
      googleProviders: { [PROVIDER]: 'plumbline:lake' },
      serviceAccounts: { [ACCOUNT]: 'plumbline:lake' },
    });
    const through = (proxy: string, caFile: string) => ({
      ...{ HTTPS_PROXY: proxy, REQUESTS_CA_BUNDLE: caFile, AWS_CA_BUNDLE: caFile },
    });
    gateway = await TaskIdentityGateway.start({
      front,
      python: pythonOf(ROOT, 'clouds'),
      policy: (usual) => {
        const { etl = {} } = usual.roles;
        const variables = etl['variables'] as object;
        const azureOnly = {
          ...etl,
          variables: { ...variables, ...through(azure.proxyUrl, azure.caFile) },
          taskIdentities: [
            { tasks: ['Sales'], identity: 'sales' },
            { tasks: ['Stock'], identity: 'stock' },
          ],
        };
        const others = {
          ...etl,
          namespaces: ['lake'],
          variables: { ...variables, ...through(clouds.proxyUrl, clouds.caFile) },
          taskIdentities: [{ tasks: ['OtherClouds'], identity: 'lake' }],
        };
        const lake = {
          aws: { roleArn: AWS_ROLE, region: 'eu-west-1' },
          google: { provider: PROVIDER, serviceAccount: ACCOUNT },
          files: [{ audience: 'https://vault.contoso.example', variable: 'VAULT_TOKEN_FILE' }],
        };
        return {
          ...usual,
          identities: {
            sales: { azure: { clientId: SALES, tenantId: TENANT } },
            stock: { azure: { clientId: STOCK, tenantId: TENANT } },
            lake,
          },
          roles: { etl: azureOnly, lake: others },
          bindings: bindingsOf(usual, ['etl', 'lake']),
        };
      },
    });
  });
  after(async () => {
    await gateway?.close();
    await clouds?.close();
    await azure?.close();
  });

  it('two families of one run hold two identities, and each reads its own vault and no other', async () => {
    const vaults = { own: 'https://contoso-stock.vault.azure.net', other: 'https://contoso-sales.vault.azure.net' };
    const run = await gateway.create('Stock', { name: 'a', ...vaults }, { module: 'clouds' });
    const outcome = await gateway.outcomeOf(run);
    assert.equal(outcome.state, 'succeeded', JSON.stringify(outcome.findings) + gateway.served.log.slice(-3_000));
    for (const [family, client, secret] of [
      ['Sales', SALES, SECRETS.sales],
      ['Stock', STOCK, SECRETS.stock],
    ] as const) {
      const found = JSON.parse(readFileSync(gateway.place(`${family}-a.json`), 'utf8'));
      assert.equal(found.client, client);
      for (const credential of ['DefaultAzureCredential', 'WorkloadIdentityCredential']) {
        assert.deepEqual(found[`${credential} own`], { digest: sha256(secret) });
        assert.equal(found[`${credential} other`].status, 403, JSON.stringify(found));
        assert.match(found[`${credential} other`].text, new RegExp(`Forbidden[\\s\\S]*${client}`));
      }
    }
    const read = azure.exchanges().filter(({ host, status }) => host === ISSUER_HOST && status === 200);
    assert.deepEqual(
      [...new Set(read.map(({ path }) => path))].length,
      2,
      'Entra read the documents of the issuer over TLS, and nothing else of it',
    );
  });

  it('each token is of one task: on record before it was used, with who started the run', async () => {
    const [run] = gateway.audit('run.create.intent');
    const issued = gateway.issued().filter(({ subject }) => subject === run?.subject);
    assert.deepEqual(issued.map(({ data }) => [data['family'], data['identity'], data['audience']]).toSorted(), [
      ['Sales', 'sales', 'api://AzureADTokenExchange'],
      ['Stock', 'stock', 'api://AzureADTokenExchange'],
    ]);
    assert.equal(new Set(issued.map(({ data }) => data['tokenId'])).size, 2);
    for (const { data } of issued) assert.equal(data['policy'], gateway.policyHash());
  });

  it('boto3 and google-auth sign in with what they find in their environment', async () => {
    const run = await gateway.create('OtherClouds', { name: 'b' }, { role: 'lake', module: 'clouds' });
    const outcome = await gateway.outcomeOf(run);
    assert.equal(outcome.state, 'succeeded', JSON.stringify(outcome.findings) + gateway.served.log.slice(-3_000));
    const found = JSON.parse(readFileSync(gateway.place('OtherClouds-b.json'), 'utf8'));
    assert.match(String(found.aws.value), /^arn:aws:sts::123456789012:assumed-role\/lake\//, JSON.stringify(found.aws));
    assert.deepEqual(found.google, { value: ACCOUNT });
    assert.deepEqual([...new Set(Object.values(found.files))], ['0o600']);
    // The one that is there leads away from the machine's own identity.
    const azure = found.environment.filter((name: string) => name.startsWith('AZURE_'));
    assert.deepEqual(azure, ['AZURE_POD_IDENTITY_AUTHORITY_HOST']);
    const signIns = clouds.signIns.map(({ subject, became }) => [subject, became]);
    assert.deepEqual(signIns.toSorted(), [
      ['plumbline:lake', PROVIDER],
      ['plumbline:lake', AWS_ROLE],
    ]);
    const tokens = gateway.issued(run).map(({ data }) => data['tokenId']);
    assert.equal(tokens.length, 3, 'one for each audience');
    for (const { tokenId } of clouds.signIns)
      assert.ok(tokens.includes(tokenId), 'what came to the cloud is on record');
  });

  it('nothing of it is left: no token file, no folder of a task', () => {
    const runs = join(gateway.served.folder, 'runs');
    const left = readdirSync(runs, { recursive: true, withFileTypes: true });
    const files = left.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
    assert.ok(files.length > 5);
    for (const path of files)
      assert.doesNotMatch(readFileSync(path, 'utf8'), /eyJ[\w-]{10,}\.eyJ|plw_|external_account/, path);
    assert.deepEqual(
      left.filter(({ name }) => /token|credential|identit/i.test(name)).map(({ name }) => name),
      [],
    );
  });
});
