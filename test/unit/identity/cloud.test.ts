import assert from 'node:assert/strict';
import type { ServiceConnection } from '#core/connection.ts';
import { cloudOf } from '#identity/cloud.ts';
import { failure } from '../../support/plumbline-failure.ts';

function connection(data: Record<string, string>): ServiceConnection {
  return {
    id: 'c0ffee00-0000-4000-8000-000000000000',
    url: '',
    scheme: 'WorkloadIdentityFederation',
    parameter: () => undefined,
    data: (name) => data[name],
  };
}

describe('cloudOf', () => {
  it('goes by the environment, else by the authority, else it is the public cloud', () => {
    const cases: [Record<string, string>, string][] = [
      [{}, 'AzureCloud'],
      [{ environment: 'azureusgovernment' }, 'AzureUSGovernment'],
      [{ activeDirectoryAuthority: 'https://login.partner.microsoftonline.cn/' }, 'AzureChinaCloud'],
      [{ environment: 'AzureCloud', environmentAuthorityUrl: 'https://login.windows.net/' }, 'AzureCloud'],
    ];
    for (const [data, name] of cases) assert.equal(cloudOf(connection(data)).name, name);
  });

  it('never sends an assertion to an authority that is not Entra ID of that cloud', () => {
    const authorities = [
      'https://login.evil.example/',
      'http://login.microsoftonline.com/',
      'https://login.microsoftonline.com:8443/',
      'https://login.microsoftonline.com.evil.example/',
      'https://login.chinacloudapi.cn/',
      'not a url',
    ];
    for (const activeDirectoryAuthority of authorities)
      assert.throws(
        () => cloudOf(connection({ environment: 'AzureCloud', activeDirectoryAuthority })),
        failure('ERR_IDENTITY_HOST_NOT_ALLOWED', /is not Entra ID of its cloud/),
      );
  });

  it('says which clouds it knows', () => {
    assert.throws(
      () => cloudOf(connection({ environment: 'AzureStack' })),
      failure('ERR_CONNECTION_UNSUPPORTED', /'AzureStack'/, /AzureCloud, AzureUSGovernment, AzureChinaCloud/),
    );
  });
});
