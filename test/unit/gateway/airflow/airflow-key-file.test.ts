import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '#core/clock.ts';
import { AirflowKeyFile } from '#gateway/airflow/airflow-key-file.ts';
import type { PublicKey } from '#gateway/issuer/token-issuer.ts';
import { eventually } from '../../../support/eventually.ts';

const key = (kid: string) => ({
  ...generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }),
  kid,
});
const [ONE, TWO] = [key('airflow-1'), key('airflow-2')];

describe('the file of Airflow’s public keys', () => {
  let folder: string;
  let path: string;
  let file: AirflowKeyFile | undefined;
  let recorded: string[];
  let errors: string[];
  let outage: Error | undefined;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'airflow-keys-'));
    path = join(folder, 'jwks.json');
    [recorded, errors, outage] = [[], [], undefined];
  });
  afterEach(async () => {
    await file?.close();
    file = undefined;
    rmSync(folder, { recursive: true, force: true });
  });

  const write = (text: string) => {
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
  };
  const open = async (refuses: (keys: readonly PublicKey[]) => string | undefined = () => undefined) => {
    file = await AirflowKeyFile.open({
      path,
      refuses,
      audited: async (kid, result) => {
        if (outage) throw outage;
        recorded.push(`${result} ${kid}`);
      },
      log: { info: () => {}, error: (_, message) => void errors.push(message) },
      // Sleeps for a hundredth of what it is told.
      clock: { now: systemClock.now, sleep: (ms, signal) => systemClock.sleep(ms / 100, signal) },
    });
    return file;
  };
  const kids = () => file?.keys().map(({ kid }) => kid);

  it('is read again when it changes, and each key is on record before it is in force', async () => {
    write(JSON.stringify({ keys: [ONE] }));
    await open();
    assert.deepEqual([kids(), recorded], [['airflow-1'], ['trusted airflow-1']]);
    write(JSON.stringify({ keys: [ONE, TWO] }));
    await eventually(() => kids()?.length === 2, 'both keys');
    write(JSON.stringify({ keys: [TWO] }));
    await eventually(() => kids()?.length === 1, 'the second key alone');
    assert.deepEqual(recorded.slice(1), ['trusted airflow-2', 'untrusted airflow-1']);
    assert.deepEqual([file?.problem(), errors], [undefined, []]);
  });

  it('with another key of the same name is another trust', async () => {
    write(JSON.stringify({ keys: [ONE] }));
    await open();
    write(JSON.stringify({ keys: [key('airflow-1')] }));
    await eventually(() => recorded.length === 3, 'the change');
    assert.deepEqual(recorded.slice(1), ['untrusted airflow-1', 'trusted airflow-1']);
  });

  it('keeps the last good keys when it can be used no more, says so once, and is taken again when it can', async () => {
    write(JSON.stringify({ keys: [ONE] }));
    await open();
    for (const [text, why] of [
      ['{', /no JSON object/],
      [JSON.stringify({ keys: [{ ...TWO, d: 'AA' }] }), /private or symmetric/],
      [JSON.stringify({ keys: [] }), /no keys/],
    ] as const) {
      write(text);
      await eventually(() => why.test(file?.problem() ?? ''), String(why));
      assert.deepEqual(kids(), ['airflow-1']);
    }
    rmSync(path);
    await eventually(() => /cannot be read \(ENOENT\)/.test(file?.problem() ?? ''), 'it is gone');
    assert.deepEqual(kids(), ['airflow-1']);
    assert.equal(errors.length, 4);
    assert.match(errors[0] ?? '', /the last good keys stay in force/);
    write(JSON.stringify({ keys: [TWO] }));
    await eventually(() => file?.problem() === undefined, 'it is good again');
    assert.deepEqual(kids(), ['airflow-2']);
  });

  it('that is bad from the start gives no keys until it is good', async () => {
    await open();
    assert.deepEqual([kids(), recorded], [[], []]);
    assert.match(file?.problem() ?? '', /ENOENT/);
    write(JSON.stringify({ keys: [ONE] }));
    await eventually(() => kids()?.length === 1, 'its key');
  });

  it('is not taken from everybody, nor when its keys cannot stand beside ours', async () => {
    write(JSON.stringify({ keys: [ONE] }));
    chmodSync(path, 0o666);
    await open((keys) =>
      keys.some(({ kid }) => kid === 'airflow-2') ? 'has the kid of a key of this gateway' : undefined,
    );
    assert.match(file?.problem() ?? '', /may be written by everybody/);
    write(JSON.stringify({ keys: [TWO] }));
    await eventually(() => /kid of a key of this gateway/.test(file?.problem() ?? ''), 'the refusal');
    assert.deepEqual([kids(), recorded], [[], []]);
  });

  it('changes nothing while nothing can be put on record', async () => {
    write(JSON.stringify({ keys: [ONE] }));
    await open();
    outage = new Error('the disk is full');
    write(JSON.stringify({ keys: [TWO] }));
    await eventually(() => file?.problem() !== undefined, 'the trouble');
    assert.deepEqual(kids(), ['airflow-1']);
    outage = undefined;
    await eventually(() => file?.problem() === undefined, 'it is tried again');
    assert.deepEqual(kids(), ['airflow-2']);
  });
});
