import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Clock } from '#core/clock.ts';
import type { PlumblineError } from '#core/errors.ts';
import type { VerifiedToken } from '../../../../src/gateway/auth/caller.ts';
import { STORE_VERSION } from '../../../../src/gateway/store/migrations.ts';
import { checkStoreFile, Store } from '../../../../src/gateway/store/store.ts';
import { StoredTokenLedger } from '../../../../src/gateway/store/stored-token-ledger.ts';
import { mountSmall, unmount } from '../../../support/chaos.ts';

const code = (expected: string, reason?: string) => (thrown: unknown) => {
  const error = thrown as PlumblineError;
  assert.equal(error.code, expected, String(thrown));
  if (reason !== undefined) assert.equal(error.details['reason'], reason);
  return true;
};

/** Time that passes only while somebody sleeps. */
function patientClock(): Clock & { passed: number } {
  const clock = {
    passed: 0,
    now: () => 1_000 + clock.passed,
    sleep: async (ms: number) => {
      clock.passed += ms;
    },
  };
  return clock;
}

function token(id: string, expiresAt = 10_000): VerifiedToken {
  return { iss: 'https://issuer.example', tokenId: id, expiresAt } as VerifiedToken;
}

describe('store', () => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'plumbline-store-'));
    file = join(folder, 'store.sqlite');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('is readable by its owner only, write-ahead file and lock too', async () => {
    const store = await Store.open(file);
    await store.check();
    for (const suffix of ['', '-wal']) assert.equal(statSync(file + suffix).mode & 0o777, 0o600, suffix);
    await store.close();
  });

  it('refuses a second gateway, in this process or another, until the first has closed it', async () => {
    const store = await Store.open(file);
    await assert.rejects(Store.open(file), code('ERR_STORE_IN_USE'));
    const elsewhere = `import { Store } from ${JSON.stringify(join(import.meta.dirname, '../../../../src/gateway/store/store.ts'))};
      try { await Store.open(process.argv[1]); process.stdout.write('opened'); } catch (error) { process.stdout.write(error.code); }`;
    const ask = () =>
      execFileSync(process.execPath, ['--input-type=module', '-e', elsewhere, file], { encoding: 'utf8' });
    assert.equal(ask(), 'ERR_STORE_IN_USE');
    await store.close();
    assert.equal(ask(), 'opened');
    await (await Store.open(file)).close();
  });

  it('keeps what was committed, and nothing of what was not', async () => {
    const store = await Store.open(file);
    const row = { issuer: 'i', token_id: 'a', fingerprint: 'f', expires_at: 1 };
    await store.transaction((transaction) => transaction.insertInto('used_tokens').values(row).execute());
    const failing = store.transaction(async (transaction) => {
      await transaction
        .insertInto('used_tokens')
        .values({ ...row, token_id: 'b' })
        .execute();
      throw new RangeError('in the middle');
    });
    await assert.rejects(failing, RangeError);
    await store.close();
    const again = await Store.open(file);
    const rows = await again.database.selectFrom('used_tokens').select('token_id').execute();
    assert.deepEqual(
      rows.map(({ token_id }) => token_id),
      ['a'],
    );
    await again.close();
  });

  it('does not mix what happens at the same time into a transaction', async () => {
    const store = await Store.open(file);
    const row = (token_id: string) => ({ issuer: 'i', token_id, fingerprint: 'f', expires_at: 1 });
    const undone = store.transaction(async (transaction) => {
      await transaction.insertInto('used_tokens').values(row('undone')).execute();
      await new Promise((resolve) => setImmediate(resolve));
      throw new RangeError('undone');
    });
    const beside = store.database.insertInto('used_tokens').values(row('beside')).execute();
    await assert.rejects(undone, RangeError);
    await beside;
    const rows = await store.database.selectFrom('used_tokens').select('token_id').execute();
    assert.deepEqual(
      rows.map(({ token_id }) => token_id),
      ['beside'],
    );
    await store.close();
  });

  it('will not open what a newer version wrote', async () => {
    await (await Store.open(file)).close();
    const database = new DatabaseSync(file);
    database.exec('insert into migrations values (999, 1)');
    database.close();
    await assert.rejects(Store.open(file), code('ERR_STORE_VERSION'));
    database.open();
    database.exec('delete from migrations where version = 999');
    database.close();
    await (await Store.open(file)).close();
  });

  it('waits for a lock of another program, then refuses, and goes on by itself', async () => {
    const clock = patientClock();
    const store = await Store.open(file, clock);
    const other = new DatabaseSync(file);
    other.exec('begin immediate');
    await assert.rejects(store.check(), code('ERR_STORE_UNAVAILABLE', 'locked'));
    assert.ok(clock.passed >= 2_000);
    assert.match(store.problem() ?? '', /another program holds a lock/);
    other.exec('rollback');
    await store.check();
    assert.equal(store.problem(), undefined);
    other.close();
    await store.close();
  });

  it('refuses when the disk is full, loses nothing, and goes on when there is space (needs root)', async function () {
    const disk = join(folder, 'disk');
    execFileSync('mkdir', [disk]);
    if (!mountSmall(disk, '512k')) return this.skip();
    try {
      const store = await Store.open(join(disk, 'store.sqlite'));
      const row = (token_id: string) => ({ issuer: 'i', token_id, fingerprint: 'x'.repeat(5_000), expires_at: 1 });
      let stored = 0;
      const fill = async () => {
        for (; ; stored++)
          await store.database
            .insertInto('used_tokens')
            .values(row(`${stored}`))
            .execute();
      };
      await assert.rejects(fill, code('ERR_STORE_UNAVAILABLE', 'full'));
      execFileSync('mount', ['-o', 'remount,size=2m', disk]);
      await store.database
        .insertInto('used_tokens')
        .values(row(`${stored}`))
        .execute();
      const rows = await store.database.selectFrom('used_tokens').select('token_id').execute();
      assert.equal(rows.length, stored + 1);
      await store.close();
      assert.equal(checkStoreFile(join(disk, 'store.sqlite')).runs, 0);
    } finally {
      unmount(disk);
    }
  });

  it('finds out by itself that the trouble has passed, though nobody asks it for anything', async () => {
    let now = 0;
    const sleep = async (ms: number) => {
      now += ms;
      await new Promise((resolve) => setImmediate(resolve));
    };
    const store = await Store.open(file, { now: () => now, sleep });
    const other = new DatabaseSync(file);
    other.exec('begin immediate');
    await assert.rejects(store.check(), code('ERR_STORE_UNAVAILABLE', 'locked'));
    await store.database.selectFrom('runs').select('id').execute();
    assert.notEqual(store.problem(), undefined, 'that it can be read does not say that it can be written');
    other.exec('rollback');
    other.close();
    while (store.problem() !== undefined) await new Promise((resolve) => setTimeout(resolve, 1));
    await store.close();
  });

  it('says of a damaged file that it is damaged', async () => {
    writeFileSync(file, 'this is no database, and it is long enough to be taken for one'.repeat(20));
    await assert.rejects(Store.open(file), code('ERR_STORE_UNAVAILABLE', 'damaged'));
  });

  it('is backed up while it is in use; the copy is whole, private, and opens', async () => {
    const store = await Store.open(file);
    const ledger = new StoredTokenLedger(store);
    await ledger.use(token('before', Number.MAX_SAFE_INTEGER), 'f');
    const copy = join(folder, 'copy.sqlite');
    await store.backup(copy);
    await ledger.use(token('after', Number.MAX_SAFE_INTEGER), 'f');
    assert.deepEqual(checkStoreFile(copy), { version: STORE_VERSION, runs: 0 });
    assert.equal(statSync(copy).mode & 0o777, 0o600);
    await store.close();
    const restored = await Store.open(copy);
    const known = new StoredTokenLedger(restored);
    assert.equal(await known.use(token('before'), 'f'), 'same');
    assert.equal(await known.use(token('after'), 'f'), 'first');
    await restored.close();
  });

  it('finds that a backup was cut', async () => {
    const store = await Store.open(file);
    const copy = join(folder, 'copy.sqlite');
    await store.backup(copy);
    await store.close();
    truncateSync(copy, Math.floor(statSync(copy).size / 2));
    assert.throws(() => checkStoreFile(copy), code('ERR_STORE_UNAVAILABLE', 'damaged'));
    assert.throws(() => checkStoreFile(join(folder, 'none')), code('ERR_STORE_UNAVAILABLE', 'missing'));
  });
});

describe('token ledger', () => {
  let folder: string;
  let store: Store;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'plumbline-ledger-'));
    store = await Store.open(join(folder, 'store.sqlite'));
  });
  afterEach(async () => {
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('lets one request use a token up, and only the very same one come again', async () => {
    const ledger = new StoredTokenLedger(store);
    const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => ledger.use(token('t'), `request ${i}`)));
    assert.deepEqual(answers.filter((answer) => answer === 'first').length, 1);
    assert.deepEqual(new Set(answers), new Set(['first', 'replayed']));
    assert.equal(await ledger.use(token('t'), `request ${answers.indexOf('first')}`), 'same');
    assert.equal(await ledger.use({ ...token('t'), iss: 'https://other.example' }, 'request'), 'first');
  });

  it('forgets a token only well after it has expired', async () => {
    let now = 0;
    const clock = { now: () => now, sleep: async () => {} };
    await new StoredTokenLedger(store, clock).use(token('t', 10_000), 'f');
    now = 10_000 + 60_000;
    assert.equal(await new StoredTokenLedger(store, clock).use(token('t', 10_000), 'g'), 'replayed');
    now = 10_000 + 10 * 60_000;
    assert.equal(await new StoredTokenLedger(store, clock).use(token('t', 10_000), 'g'), 'first');
  });
});
