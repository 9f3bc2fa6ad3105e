import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeJwt } from 'jose';
import { type LocalAzure, startLocalAzure } from '#local-azure/local-azure.ts';
import { ROOT } from '../../scripts/repository.ts';
import { luigiPython } from '../support/local-pipeline.ts';

const RESOURCE = 'api://plumbline-gateway';
const MACHINE = { name: 'airflow-machine', clientId: '0d5c4b3a-2918-4706-95a4-83b2c1d0e9f8' };

describe('examples/airflow/keep_token.py', () => {
  const folder = mkdtempSync(join(tmpdir(), 'plumbline-keep-token-'));
  const file = join(folder, 'plumbline-token');
  let azure: LocalAzure;

  before(async () => {
    azure = await startLocalAzure({
      organization: { name: 'contoso' },
      project: { name: 'Retail' },
      tenants: [{ id: '4f1c6c5e-2b7a-4d0e-9a53-6c1f0b8d7e21' }],
      identities: [
        {
          name: 'plumbline-gateway',
          clientId: '2e9d4c1b-7a60-4f3d-8b5e-1c0f9a8d7b64',
          exposes: { identifierUris: [RESOURCE], accessTokenVersion: 2 },
        },
        { ...MACHINE, kind: 'managedIdentity' },
      ],
      machineIdentities: [MACHINE.name],
    });
  });

  after(async () => {
    await azure.close();
    rmSync(folder, { recursive: true, force: true });
  });

  function keep(environment: Readonly<Record<string, string>>): Promise<{ status: number; said: string }> {
    const args = [join(ROOT, 'examples/airflow/keep_token.py'), RESOURCE, file, '--once'];
    const env = { PATH: process.env['PATH'], HOME: folder, ...environment };
    return new Promise((done) => {
      execFile(luigiPython(), args, { env }, (error, out, said) => {
        done({ status: error === null ? 0 : Number(error.code), said: `${out}${said}` });
      });
    });
  }

  function identity(header = azure.managedIdentity?.header ?? ''): Readonly<Record<string, string>> {
    return { IDENTITY_ENDPOINT: azure.managedIdentity?.endpoint ?? '', IDENTITY_HEADER: header };
  }

  it("writes a token of the machine's identity for the gateway, which only its own user may read, and says nothing", async () => {
    assert.deepEqual(await keep(identity()), { status: 0, said: '' });
    const { appid, azp, aud } = decodeJwt(readFileSync(file, 'utf8'));
    assert.equal(appid ?? azp, MACHINE.clientId);
    assert.ok([RESOURCE, '2e9d4c1b-7a60-4f3d-8b5e-1c0f9a8d7b64'].includes(String(aud)), String(aud));
    assert.equal(statSync(file).mode & 0o777, 0o600);
  });

  it('replaces the old token, and leaves it when there is no new one', async () => {
    const before = readFileSync(file, 'utf8');
    const failed = await keep(identity('somebody-else'));
    assert.equal(failed.status, 1);
    assert.match(failed.said, /^no token for api:\/\/plumbline-gateway: 4\d\d\n$/);
    assert.equal(readFileSync(file, 'utf8'), before);
    assert.equal((await keep(identity())).status, 0);
    assert.deepEqual(readdirSync(folder), ['plumbline-token']);
  });
});
