import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import type { ServiceConnection } from '#core/connection.ts';
import { rejection } from '#identity/rejection.ts';
import { failure } from '../../support/plumbline-failure.ts';

const connection: ServiceConnection = {
  id: 'c0ffee00-0000-4000-8000-000000000000',
  url: '',
  scheme: 'WorkloadIdentityFederation',
  parameter: () => undefined,
  data: () => undefined,
};
const exchange = {
  connection,
  tenantId: 'tenant',
  clientId: 'client',
  authority: 'https://login.microsoftonline.com',
  claims: { issuer: 'https://issuer', subject: 'sc://o/p/c', audience: 'api://AzureADTokenExchange' },
};
const TRACE = '11111111-2222-4333-8444-555555555555';

function refused(code: string) {
  return rejection(
    new Error(
      `invalid_client: Error(s): ${code} - AADSTS${code}: Because.\r\nTrace ID: ${TRACE} Correlation ID: ${TRACE}`,
    ),
    exchange,
  );
}

describe('rejection', () => {
  it('has a remedy of its own for each refusal that federation can meet', () => {
    const codes = ['700016', '700211', '700212', '700213', '700024', '700027', '50013', '90002', '7000215', '7000222'];
    const remedies = codes.map((code) => refused(code).remedy);
    assert.equal(new Set(remedies).size, codes.length);
    assert.ok(remedies.every((remedy) => remedy && !remedy.includes('Look up')));
  });

  it('names everything that a federated credential must match', () => {
    const error = refused('700213');
    failure(
      'ERR_IDENTITY_REJECTED',
      /client client, tenant tenant, issuer 'https:\/\/issuer', subject 'sc:\/\/o\/p\/c', audience 'api:.*: AADSTS700213: Because\.$/,
    )(error);
    assert.equal(error.details['traceId'], TRACE);
  });

  it('says where to look for a code it does not know', () => {
    failure('ERR_IDENTITY_REJECTED', /AADSTS999/, /login\.microsoftonline\.com\/error/)(refused('999'));
    failure('ERR_IDENTITY_REJECTED', /no code/, /Look up/)(rejection(new Error('no code'), exchange));
  });

  it('never carries a token, however it is quoted', () => {
    const token = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl';
    const sdkError = Object.assign(new Error(`AADSTS50013: bad ${token}`), {
      request: { body: `client_assertion=${token}` },
    });
    assert.doesNotMatch(inspect(rejection(sdkError, exchange), { depth: 20, showHidden: true }), /eyJ|c2lnbmF0/);
  });
});
