import assert from 'node:assert/strict';
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import { answered, type Call, type CallResult, callAzure, TASK_NODES } from '../../support/azure-client.ts';
import { type StartedJob, sampleDeclaration, startJob, TENANT, WORKFLOW_CLIENT } from '../../support/local-azure.ts';

const ISSUER = 'https://gitlab.example.com';
const SUBJECT = 'project_path:data/flows:ref_type:branch:ref:main';
const AUDIENCE = 'api://AzureADTokenExchange';

/** One good federated assertion and every way to spoil it. */
async function assertionCases() {
  const trusted = await generateKeyPair('RS256');
  const rogue = await generateKeyPair('RS256');
  const now = Math.floor(Date.now() / 1_000);
  const sign = (
    claims: { iss?: string; sub?: string; aud?: string; iat?: number; exp?: number } = {},
    key = trusted.privateKey,
    kid = 'k1',
  ) =>
    new SignJWT({
      iss: ISSUER,
      sub: SUBJECT,
      aud: AUDIENCE,
      iat: now,
      nbf: claims.iat ?? now,
      exp: now + 600,
      ...claims,
    })
      .setProtectedHeader({ alg: 'RS256', kid })
      .sign(key);
  const good = await sign();
  return {
    jwks: { keys: [{ ...(await exportJWK(trusted.publicKey)), kid: 'k1', alg: 'RS256', use: 'sig' }] },
    good,
    refused: {
      'another subject': [await sign({ sub: `${SUBJECT}x` }), '700213'],
      'another audience': [await sign({ aud: 'api://other' }), '700212'],
      'another issuer': [await sign({ iss: `${ISSUER}x` }), '700211'],
      expired: [await sign({ iat: now - 7_200, exp: now - 3_600 }), '700024'],
      'not yet valid': [await sign({ iat: now + 3_600, exp: now + 7_200 }), '700024'],
      'signed by a foreign key': [await sign({}, rogue.privateKey), '50013'],
      'of an unknown key': [await sign({}, trusted.privateKey, 'zzz'), '7000272'],
      unsigned: [new UnsecuredJWT({ iss: ISSUER, sub: SUBJECT, aud: AUDIENCE, exp: now + 600 }).encode(), '700027'],
      'with a changed payload': [tampered(good), '50013'],
      garbage: ['abc', '50027'],
    } satisfies Record<string, readonly [string, string]>,
  };
}

function tampered(token: string): string {
  const [header, payload = '', signature] = token.split('.');
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object;
  const changed = Buffer.from(JSON.stringify({ ...claims, exp: 9_999_999_999 })).toString('base64url');
  return [header, changed, signature].join('.');
}

for (const node of TASK_NODES) {
  describe(`local Entra ID, asked by @azure/identity on ${node.name}`, () => {
    let job: StartedJob;
    let cases: Awaited<ReturnType<typeof assertionCases>>;
    const ask = async (...calls: Call[]): Promise<CallResult[]> => callAzure(job.azure, calls, { node: node.path });
    const token = (assertion: string, more: object = {}): Call => ({
      op: 'token',
      tenant: TENANT,
      client: WORKFLOW_CLIENT,
      assertion,
      ...more,
    });

    before(async () => {
      cases = await assertionCases();
      const declaration = sampleDeclaration({ issuers: [{ issuer: ISSUER, jwks: cases.jwks }] });
      const [workflows, ...others] = declaration.identities ?? [];
      assert.ok(workflows);
      const credential = { issuer: ISSUER, subject: SUBJECT };
      job = await startJob({
        ...declaration,
        identities: [{ ...workflows, federatedCredentials: [credential] }, ...others],
      });
    });
    after(() => job.azure.close());

    it('exchanges a good assertion for a version 1 token of the vault', async () => {
      const [result] = await ask(token(cases.good));
      const claims = answered(result);
      assert.deepEqual(
        [claims['iss'], claims['aud'], claims['appid'], claims['ver'], claims['tid'], claims['idtyp']],
        [`https://sts.windows.net/${TENANT}/`, 'https://vault.azure.net', WORKFLOW_CLIENT, '1.0', TENANT, 'app'],
      );
      assert.equal(Number(claims['exp']) - Number(claims['iat']), 3_599);
    });

    it('gives a version 2 token to an application that asks for it', async () => {
      const [result] = await ask(token(cases.good, { scope: 'api://plumbline-gateway/.default' }));
      const claims = answered(result);
      assert.deepEqual(
        [claims['iss'], claims['aud'], claims['azp'], claims['ver']],
        [
          `https://login.microsoftonline.com/${TENANT}/v2.0`,
          '55555555-8888-4777-8666-555555555555',
          WORKFLOW_CLIENT,
          '2.0',
        ],
      );
    });

    it('refuses every other assertion with the code of its fault', async () => {
      const entries = Object.entries(cases.refused);
      const results = await ask(...entries.map(([, [assertion]]) => token(assertion)));
      const found = entries.map(([name], i) => [name, results[i]?.error?.aadsts]);
      assert.deepEqual(
        found,
        entries.map(([name, [, code]]) => [name, code]),
      );
    });

    it('refuses an unknown application, tenant, resource or scope', async () => {
      const results = await ask(
        token(cases.good, { client: '99999999-0000-4777-8666-555555555555' }),
        token(cases.good, { tenant: '22222222-2222-4333-8444-555555555555' }),
        token(cases.good, { scope: 'api://nobody/.default' }),
        token(cases.good, { scope: 'https://vault.azure.net/user_impersonation' }),
      );
      assert.deepEqual(
        results.map(({ error }) => error?.aadsts),
        ['700016', '90002', '500011', '1002012'],
      );
    });
  });

  describe(`a federated service connection, used by AzurePipelinesCredential on ${node.name}`, () => {
    let job: StartedJob;
    before(async () => {
      job = await startJob(sampleDeclaration(), { names: ['azure', 'azure-old', 'untrusted'] });
    });
    after(() => job.azure.close());
    const results = (...names: string[]) =>
      callAzure(
        job.azure,
        names.map((name) => ({
          op: 'token',
          tenant: TENANT,
          client: WORKFLOW_CLIENT,
          connection: job.connection(name),
          accessToken: job.accessToken,
        })),
        { node: node.path, env: { SYSTEM_OIDCREQUESTURI: job.oidcRequestUri } },
      );

    it('becomes an access token with either issuer', async () => {
      const found = await results('azure', 'azure-old');
      assert.deepEqual(
        found.map(({ ok }) => (ok as { appid?: string })?.appid),
        [WORKFLOW_CLIENT, WORKFLOW_CLIENT],
      );
    });

    it('is refused when no credential trusts its subject', async () => {
      const [result] = await results('untrusted');
      assert.equal(result?.error?.aadsts, '700213');
      assert.match(result?.error?.message ?? '', /subject '\/eid1\/c\/pub\/t\//);
    });

    it('gets no ID token in a job that does not name it', async () => {
      const [result] = await results('stranger');
      assert.match(result?.error?.message ?? '', /There is no explicit reference to service connection/);
    });
  });
}
