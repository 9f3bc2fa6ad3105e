import type { ConnectionIdentity } from '#identity/connection-identity.ts';
import { asVaultAnswer, vaultError } from '#secrets/vault-error.ts';
import { failure } from '../../support/plumbline-failure.ts';

const address = 'https://kv1.vault.azure.net';
const identity = { clientId: 'client', tenantId: 'tenant' } as ConnectionIdentity;

function refused(status: number, message: string, inner?: string) {
  const error = { code: 'Forbidden', message, ...(inner && { innererror: { code: inner } }) };
  const answer = asVaultAnswer(status, JSON.stringify({ error }));
  return vaultError(new Error(message), answer, { address, reference: { name: 'a' }, identity });
}

describe('vaultError', () => {
  it('tells refusals apart by inner code, and by message where a vault gives none', () => {
    const cases: [string, string, string, RegExp, RegExp][] = [
      [
        'SecretDisabled',
        'Operation get is not allowed on a disabled secret.',
        'ERR_SECRET_DISABLED',
        /is disabled/,
        /Enable/,
      ],
      [
        'ForbiddenByRbac',
        'Caller is not authorized to perform action on resource.',
        'ERR_SECRET_FORBIDDEN',
        /no role/,
        /Secrets User/,
      ],
      [
        'AccessDenied',
        "The user 'x' does not have secrets get permission on key vault",
        'ERR_SECRET_FORBIDDEN',
        /no access policy/,
        /'Get'/,
      ],
      [
        'ForbiddenByFirewall',
        'Client address is not authorized and caller is not a trusted service.\r\nClient address: 1.2.3.4',
        'ERR_SECRET_FORBIDDEN',
        /firewall.*1\.2\.3\.4/,
        /networking/,
      ],
      [
        'ForbiddenByConnection',
        'Public network access is disabled and request is not from a trusted service',
        'ERR_SECRET_FORBIDDEN',
        /private endpoint/,
        /network of/,
      ],
    ];
    for (const [inner, text, code, message, remedy] of cases) {
      failure(code, message, remedy)(refused(403, text, inner));
      failure(code, message, remedy)(refused(403, text));
    }
  });

  it('quotes the first line of what it does not know, and stays forbidden', () => {
    failure(
      'ERR_SECRET_FORBIDDEN',
      /403, Something new$/,
      /roles or access policies/,
    )(refused(403, 'Something new\nmore'));
    failure('ERR_SECRET_UNUSABLE', /HTTP 400, Bad name/)(refused(400, 'Bad name'));
  });

  it('takes a 401 for a vault of another tenant', () => {
    failure(
      'ERR_SECRET_FORBIDDEN',
      /token of tenant tenant \(401\): AKV10032/,
      /own tenant/,
    )(refused(401, 'AKV10032: Invalid issuer.'));
  });
});
