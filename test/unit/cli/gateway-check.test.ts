import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parse, stringify } from 'yaml';
import { COMMANDS } from '#cli/commands.ts';
import { runCommand } from '#cli/run-command.ts';
import { ROOT } from '../../../scripts/repository.ts';
import { labelledBlocks } from '../../support/labelled-blocks.ts';
import { RecordingTerminal } from './recording-terminal.ts';

describe('plumbline gateway check', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'gateway-check-'));
    copyFileSync(resolve(ROOT, 'examples/gateway/policy.yaml'), join(folder, 'policy.yaml'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const check = async (changes: object) => {
    const file = join(folder, 'gateway.yaml');
    const least = {
      apiVersion: 'plumbline.dev/gateway/v1',
      stateDirectory: 'state',
      runsDirectory: 'runs',
      policyFile: 'policy.yaml',
      issuer: { url: 'https://tokens.example.com' },
      luigid: { socket: 'luigid.sock' },
    };
    writeFileSync(file, stringify({ ...least, ...changes }));
    const terminal = new RecordingTerminal({ files: { [file]: '' } });
    const status = await runCommand(COMMANDS, ['gateway', 'check', '--config', file], terminal);
    return { status, out: terminal.everything };
  };

  it('takes what a gateway would start with', async () => {
    const { status, out } = await check({});
    assert.equal(status, 0, out);
  });

  it('takes the first gateway of the page', async () => {
    const block = labelledBlocks(resolve(ROOT, 'docs/gateway/README.md'));
    writeFileSync(join(folder, 'policy.yaml'), block('policy.yaml first'));
    const { status, out } = await check(parse(block('gateway.yaml first')));
    assert.equal(status, 0, out);
  });

  it('tells of a role that this isolation does not start', async () => {
    const { status, out } = await check({ isolation: 'none' });
    assert.equal(status, 2);
    assert.match(out, /^gap: role 'sales-report' has a unixUser, .*isolation: none/m);
  });

  it('tells of an Airflow whose public keys cannot be published', async () => {
    const airflow = {
      prod: { url: 'https://airflow.example.com', authManager: 'fab', audience: 'prod', publicKeys: 'prod.json' },
    };
    const publicUrl = 'https://gateway.example.com';
    const missing = await check({ publicUrl, airflow });
    assert.equal(missing.status, 2);
    assert.match(missing.out, /^gap: airflow 'prod' of the configuration: .*prod\.json cannot be read \(ENOENT\)/m);
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const write = (key: object) =>
      writeFileSync(join(folder, 'prod.json'), JSON.stringify({ keys: [{ ...key, kid: 'a' }] }));
    write(privateKey.export({ format: 'jwk' }));
    assert.match((await check({ publicUrl, airflow })).out, /^gap: .*prod\.json holds a private or symmetric key/m);
    write(publicKey.export({ format: 'jwk' }));
    assert.equal((await check({ publicUrl, airflow })).status, 0);
  });

  it('tells of a client secret with which a gateway does not start', async () => {
    const signIn = { issuer: 'https://login.example.com', clientId: 'a', clientSecretFile: 'secret' };
    const missing = await check({ signIn });
    assert.equal(missing.status, 2);
    assert.match(missing.out, /signIn\.clientSecretFile, .*is not there/);
    writeFileSync(join(folder, 'secret'), 's3cret\n', { mode: 0o600 });
    chmodSync(join(folder, 'secret'), 0o644);
    const open = await check({ signIn });
    assert.equal(open.status, 2);
    assert.match(open.out, /others may use it \(mode 0644\); it must be 0600/);
    assert.doesNotMatch(open.out, /s3cret/);
    chmodSync(join(folder, 'secret'), 0o600);
    assert.equal((await check({ signIn })).status, 0);
  });
});
