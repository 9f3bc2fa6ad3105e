import assert from 'node:assert/strict';
import { keyVault } from '#secrets/key-vault.ts';
import { vaultAddress } from '#secrets/vault-address.ts';
import { agentJob } from '../support/agent-job.ts';
import { sampleDeclaration, startJob, TENANT } from '../support/local-azure.ts';

const CLOUDS = [
  ['AzureUSGovernment', 'login.microsoftonline.us', 'vault.usgovcloudapi.net'],
  ['AzureChinaCloud', 'login.chinacloudapi.cn', 'vault.azure.cn'],
] as const;

describe('national clouds', () => {
  for (const [cloud, login, suffix] of CLOUDS) {
    it(`signs in and reads a secret in ${cloud}, from the data of the connection alone`, async () => {
      const job = await startJob(sampleDeclaration({ tenants: [{ id: TENANT, cloud }] }));
      try {
        const agent = agentJob(job);
        const identity = agent.identity('azure');
        const dnsSuffix = agent.connection('azure').data('AzureKeyVaultDnsSuffix');
        const address = vaultAddress('myvault', { cloud: identity.cloud, dnsSuffix });
        assert.equal(address, `https://myvault.${suffix}`);
        const vault = keyVault({ address, identity, http: agent.http, mask: agent.mask });
        const [secret] = await vault.read([{ name: 'plain' }]);
        assert.equal(secret?.value.reveal(), 'grün');
        const hosts = new Set(job.azure.exchanges().map(({ host }) => host));
        assert.ok(hosts.has(login) || (cloud === 'AzureChinaCloud' && hosts.has('login.partner.microsoftonline.cn')));
        assert.ok(!hosts.has('login.microsoftonline.com'));
      } finally {
        await job.azure.close();
      }
    });
  }
});
