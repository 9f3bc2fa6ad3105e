import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { COMMANDS } from '#cli/commands.ts';
import { runCommand } from '#cli/run-command.ts';
import { systemClock } from '#core/clock.ts';
import { FileKeys } from '#gateway/issuer/file-keys.ts';
import { keyDirectory } from '#gateway/issuer/kept-keys.ts';
import { keyFolder } from '#gateway/issuer/key-folder.ts';
import { machineTime } from '#gateway/issuer/steady-time.ts';
import { RecordingTerminal } from './recording-terminal.ts';

const DAY = 86_400_000;

describe('plumbline issuer', () => {
  let folder: string;
  let config: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'issuer-command-'));
    config = join(folder, 'gateway.yaml');
    configure('issuer: { url: https://tokens.example.com }');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const configure = (issuer: string) =>
    writeFileSync(
      config,
      `apiVersion: plumbline.dev/gateway/v1\nstateDirectory: state\nrunsDirectory: runs\npolicyFile: p.yaml\n${issuer}\n`,
    );
  const run = async (line: string) => {
    const terminal = new RecordingTerminal();
    const status = await runCommand(COMMANDS, ['issuer', ...line.split(' '), '--config', config], terminal);
    return { status, out: terminal.lines.join('\n'), error: terminal.errors.join('\n') };
  };
  /** What a gateway does with the keys when it starts. */
  const takenUp = async (rotateEveryMs: number, directory = keyDirectory(join(folder, 'state'))) => {
    const keys = await FileKeys.open({
      folder: keyFolder(directory),
      times: { publishForMs: DAY, rotateEveryMs, lifetimeMs: 600_000 },
      audited: async () => {},
      clock: systemClock,
      machine: machineTime,
      log: { info: () => {}, error: () => {} },
    });
    await keys.close();
    return keys.published().map(({ kid }) => kid);
  };

  it('says of each key what it is and what comes', async () => {
    assert.match((await run('keys')).out, /^There is no key yet: the gateway makes the first one at its start\.$/);
    assert.deepEqual(JSON.parse((await run('keys --json')).out), { ok: true, keys: [] });
    const [first] = await takenUp(30 * DAY);
    assert.match(
      (await run('keys')).out,
      new RegExp(`${first} +active +signs; a new one is prepared in 69[56] h \\d\\d m$`),
    );
    const prepared = await run('prepare');
    assert.match(prepared.out, /prepared +the gateway takes it up within two seconds, or at its next start$/);
    const [, second] = await takenUp(30 * DAY);
    assert.match(
      (await run('keys')).out,
      new RegExp(`${second} +prepared +published; signs by itself in 2[34] h \\d\\d m$`),
    );
    assert.equal((await run(`activate ${second}`)).status, 1);
    assert.equal((await run(`activate ${second} --now`)).status, 0);
    await takenUp(30 * DAY);
    assert.match((await run('keys')).out, new RegExp(`${first} +retired +removed in 24 h (10|09) m$`, 'm'));
  });

  it('promises nothing of time when keys change by hand only', async () => {
    configure('issuer: { url: https://tokens.example.com, keys: { kind: files, rotateEvery: 0s } }');
    await takenUp(0);
    assert.match((await run('keys')).out, /active +signs$/);
    await run('prepare');
    await takenUp(0);
    assert.match((await run('keys')).out, /prepared +published; can be activated in 2[34] h/);
  });

  it('names the documents that it exports, and needs keys for it', async () => {
    const without = await run(`export ${folder}/site`);
    assert.deepEqual([without.status, without.error.split(':')[0]], [1, 'ERR_ISSUER_UNAVAILABLE']);
    await run('prepare');
    assert.match(
      (await run(`export ${folder}/site`)).error,
      /none of its keys is in force yet\. Start the gateway once/,
    );
    await takenUp(0);
    const { out } = await run(`export ${folder}/site`);
    assert.deepEqual(out.split('\n'), [
      `${folder}/site/.well-known/jwks.json`,
      `${folder}/site/.well-known/openid-configuration`,
    ]);
    const blocked = await run(`export ${config}/site`);
    assert.deepEqual([blocked.status, blocked.error.split(':')[0]], [1, 'ERR_FILE_UNREADABLE']);
  });

  it('has the keys for an Airflow, too, and they are others', async () => {
    const url = 'url: https://airflow.example.com, authManager: simple, audience: prod, publicKeys: prod.json';
    configure(`publicUrl: https://gateway.example.com\nissuer: {}\nairflow: { prod: { ${url} } }`);
    const { publicKey } = generateKeyPairSync('ed25519');
    const own = { ...publicKey.export({ format: 'jwk' }), kid: 'airflow-1' };
    writeFileSync(join(folder, 'prod.json'), JSON.stringify({ keys: [own] }));
    assert.match((await run(`export ${folder}/site --airflow prod`)).error, /none of the keys for it is in force yet/);
    const [kid] = await takenUp(30 * DAY, join(folder, 'state/keys/airflow/prod'));
    const [ofTasks] = await takenUp(30 * DAY);
    const { keys } = JSON.parse((await run('keys --json --airflow prod')).out);
    assert.deepEqual(
      keys.map((key: { kid: string }) => key.kid),
      [kid],
    );
    assert.notEqual(kid, ofTasks);
    assert.match((await run('prepare --airflow prod')).out, /prepared/);
    const { out } = await run(`export ${folder}/site --airflow prod`);
    assert.equal(out, `${folder}/site/jwks.json`);
    const written = JSON.parse(readFileSync(out, 'utf8')) as { keys: { kid: string }[] };
    assert.deepEqual(
      written.keys.map((key) => key.kid),
      ['airflow-1', kid],
    );
    assert.match((await run('keys --airflow none')).error, /it has no Airflow none\. It has prod\./);
    writeFileSync(join(folder, 'prod.json'), JSON.stringify({ keys: [{ ...own, kid }] }));
    assert.match((await run(`export ${folder}/site --airflow prod`)).error, /has the kid of a key of this gateway/);
  });

  it('needs a gateway that is an issuer', async () => {
    configure('');
    for (const line of ['keys', 'prepare', 'activate x', 'retire x', `export ${folder}`]) {
      const { status, error } = await run(line);
      assert.equal(status, 1, line);
      assert.match(error, /^ERR_CONFIG_INVALID: .*it has no issuer/);
    }
  });
});
