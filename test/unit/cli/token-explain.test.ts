import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { COMMANDS } from '#cli/commands.ts';
import { runCommand } from '#cli/run-command.ts';
import { ROOT } from '../../../scripts/repository.ts';
import { RecordingTerminal } from './recording-terminal.ts';

const POLICY = readFileSync(resolve(ROOT, 'examples/gateway/policy.yaml'), 'utf8');
const TENANT = '4f1c6c5e-2b7a-4d0e-9a53-6c1f0b8d7e21';
const OBJECT = '3d7b2f90-1e4c-4a8b-9c6d-5f0e8a1b7c42';
const ORGANIZATION = '5f0a7d2e-6c1b-4b0f-9a3e-2f4d8c7b1e60';

describe('plumbline token explain', () => {
  let files: Record<string, string>;

  before(async () => {
    const { privateKey, publicKey } = await generateKeyPair('RS256');
    const sign = (claims: Record<string, unknown>) =>
      new SignJWT(claims)
        .setProtectedHeader({ alg: 'RS256', kid: 'k', typ: 'JWT' })
        .setIssuedAt()
        .setNotBefore('0s')
        .setExpirationTime('10m')
        .sign(privateKey);
    const entra = {
      iss: `https://login.microsoftonline.com/${TENANT}/v2.0`,
      aud: '2e9d4c1b-7a60-4f3d-8b5e-1c0f9a8d7b64',
      ...{
        sub: OBJECT,
        oid: OBJECT,
        tid: TENANT,
        azp: '8b0f3a6d-5c1e-4e57-b1a4-0d9c2f7e6a18',
        ver: '2.0',
        idtyp: 'app',
        uti: 'abcdefgh12345678',
      },
    };
    const facts = {
      iss: `https://vstoken.dev.azure.com/${ORGANIZATION}`,
      aud: 'api://AzureADTokenExchange',
      ...{
        sub: 'p://contoso/Retail/sales',
        org_id: ORGANIZATION,
        prj_id: '9c4e1f7a-2d3b-4a58-8e6f-7b0c5d1a2e93',
        def_id: '7',
        run_id: '1',
      },
      ...{
        rpo_id: 'r',
        rpo_uri: 'https://dev.azure.com/contoso/Retail/_git/retail',
        rpo_ver: 'c',
        rpo_ref: 'refs/heads/main',
        jti: 'j',
      },
    };
    files = {
      policy: POLICY,
      jwks: JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'k', alg: 'RS256', use: 'sig' }] }),
      entra: `${await sign(entra)}\n`,
      facts: await sign(facts),
      stranger: await sign({
        ...entra,
        oid: '00000000-0000-4000-8000-000000000001',
        sub: '00000000-0000-4000-8000-000000000001',
      }),
      audience: await sign({ ...entra, aud: 'https://graph.microsoft.com' }),
    };
  });

  async function explain(line: string, input = '') {
    const terminal = new RecordingTerminal({ files, input });
    const status = await runCommand(COMMANDS, ['token', 'explain', '--policy', 'policy', ...line.split(' ')], terminal);
    for (const token of [files['entra'], files['facts'], files['stranger'], files['audience']]) {
      const [, payload = '', signature = ''] = (token ?? '').trim().split('.');
      assert.ok(
        !terminal.everything.includes(payload) && !terminal.everything.includes(signature),
        'a token was printed',
      );
    }
    return { status, output: terminal.output, errors: terminal.errors.join('\n') };
  }

  it('names the roles of a good token with its run facts', async () => {
    const { status, output } = await explain('--jwks jwks --run-facts facts entra');
    assert.equal(status, 0, output);
    assert.match(output, /^token: accepted/);
    assert.match(output, /^run facts: accepted/m);
    assert.match(output, /binding retail-pipeline-main gives sales-report/);
  });

  it('reads standard input too, and says that nobody checked the signature without keys', async () => {
    const { status, output } = await explain('--run-facts facts', files['entra']);
    assert.equal(status, 0, output);
    assert.match(output, /^token: unproven/);
    assert.match(output, /signature +skipped +there are no keys here/);
  });

  it('says what keeps a good token from a role', async () => {
    const alone = await explain('--jwks jwks entra');
    assert.equal(alone.status, 2);
    assert.match(alone.output, /would give, but for runFactsIssuer, run fact prj_id/);
    const stranger = await explain('--jwks jwks --run-facts facts stranger');
    assert.equal(stranger.status, 2);
    assert.match(stranger.output, /would give, but for claim oid: sales-report/);
  });

  it('says why a token is refused, as JSON too', async () => {
    const { status, output } = await explain('--jwks jwks --json audience');
    assert.equal(status, 2);
    const answer = JSON.parse(output);
    assert.equal(answer.verdict, 'refused');
    assert.equal(answer.checks.find(({ result }: { result: string }) => result === 'failed').name, 'issuer');
  });

  it('shows issuer and audience of a token that nobody knows beside those of the policy', async () => {
    const { output } = await explain('--jwks jwks audience');
    assert.match(output, /aud {2}"https:\/\/graph\.microsoft\.com"/);
    assert.match(output, /entra: https:\/\/login\.microsoftonline\.com\/.*, for 2e9d4c1b/);
  });

  it('takes no token from the arguments and does not repeat it', async () => {
    const { status, errors } = await explain((files['entra'] ?? '').trim());
    assert.equal(status, 64);
    assert.match(errors, /every process of this machine/);
  });
});
