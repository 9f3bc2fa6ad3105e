import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportAirflowKeys } from '#gateway/airflow/export-airflow-keys.ts';
import { publicKeyGaps } from '#gateway/airflow/public-key-gaps.ts';
import type { AirflowConfig, GatewayConfig } from '#gateway/config/gateway-config.ts';

const KEY = { ...generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }), kid: 'airflow-1' };

describe('commands that read an Airflow’s public keys', () => {
  let folder: string;
  let publicKeysFile: string;
  const airflow = () => ({ name: 'warehouse', publicKeysFile }) as unknown as AirflowConfig;
  const config = () => ({ airflow: new Map([['warehouse', airflow()]]) }) as unknown as GatewayConfig;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'airflow-keys-'));
    publicKeysFile = join(folder, 'jwks.json');
    writeFileSync(publicKeysFile, JSON.stringify({ keys: [KEY] }));
    chmodSync(publicKeysFile, 0o644);
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('find nothing wrong with a file that the gateway takes', async () => {
    assert.deepEqual(await publicKeyGaps(config()), []);
  });

  it('refuse what the gateway refuses: a file that everybody may write', async () => {
    chmodSync(publicKeysFile, 0o666);
    const [gap = ''] = await publicKeyGaps(config());
    assert.match(gap, /warehouse.*may be written by everybody/);
    await assert.rejects(exportAirflowKeys(folder, airflow(), config()), /may be written by everybody/);
  });

  it('say which file cannot be read, and why', async () => {
    publicKeysFile = join(folder, 'none.json');
    const [gap = ''] = await publicKeyGaps(config());
    assert.match(gap, /none\.json cannot be read \(ENOENT\)/);
    await assert.rejects(exportAirflowKeys(folder, airflow(), config()), /none\.json: it cannot be read \(ENOENT\)/);
  });
});
