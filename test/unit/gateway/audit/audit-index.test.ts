import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Kysely, type SqliteDatabase, SqliteDialect } from 'kysely';
import {
  type AuditIndex,
  type AuditIndexTables,
  auditIndexMigration,
  storedAuditIndex,
} from '#gateway/audit/audit-index.ts';
import { catchUpIndex, readIndexedRecord, rebuildIndex } from '#gateway/audit/index-log.ts';
import { AuditPlace, appendSamples, SAMPLE_TIME, sampleEvent } from '../../../support/audit-sample.ts';
import { eventually } from '../../../support/eventually.ts';

/** node:sqlite as kysely takes it. */
function database(): Kysely<AuditIndexTables> {
  const sqlite = new DatabaseSync(':memory:');
  const opened: SqliteDatabase = {
    close: () => sqlite.close(),
    prepare: (sql) => {
      const statement = sqlite.prepare(sql);
      return {
        reader: statement.columns().length > 0,
        all: (values) => statement.all(...(values as never[])),
        run: (values) => statement.run(...(values as never[])),
        iterate: (values) => statement.iterate(...(values as never[])) as IterableIterator<unknown>,
      };
    },
  };
  return new Kysely<AuditIndexTables>({ dialect: new SqliteDialect({ database: opened }) });
}

describe('the index of the audit log', () => {
  let place: AuditPlace;
  let store: Kysely<AuditIndexTables>;
  let index: AuditIndex;
  beforeEach(async () => {
    place = new AuditPlace();
    store = database();
    await auditIndexMigration(store);
    index = storedAuditIndex(store);
  });
  afterEach(async () => {
    await store.destroy();
    place.remove();
  });

  it('is fed with every record, and finds them by run and by period', async () => {
    await place.write(
      async (log) => {
        await appendSamples(log, 5);
        place.clock.advance(1_000);
        await log.append(sampleEvent(3));
      },
      { index, rotateBytes: 1_000 },
    );
    assert.equal(await index.newest(), 7);
    const ofRun = await index.ofRun('run-3');
    assert.deepEqual(
      ofRun.map(({ sequence }) => sequence),
      [3, 6],
    );
    for (const entry of ofRun) assert.equal((await readIndexedRecord(place.directory, entry)).subject, 'run-3');
    const ofPeriod = await index.ofPeriod(SAMPLE_TIME, SAMPLE_TIME + 1_000, { after: 2, limit: 2 });
    assert.deepEqual(
      ofPeriod.map(({ sequence }) => sequence),
      [3, 4],
    );
  });

  it('is the same when it is made anew from the files', async () => {
    await place.write((log) => appendSamples(log, 30), { index, rotateBytes: 2_000 });
    const before = await index.ofPeriod(0, SAMPLE_TIME * 2);
    await index.add([{ ...(before[0] as (typeof before)[0]), sequence: 999 }]);
    assert.equal(await rebuildIndex({ directory: place.directory, index }), 31);
    assert.deepEqual(await index.ofPeriod(0, SAMPLE_TIME * 2), before);
  });

  it('gets what it missed, and keeps no record from being written', async () => {
    await place.write((log) => appendSamples(log, 10), { rotateBytes: 1_000 });
    let away = true;
    const flaky: AuditIndex = {
      ...index,
      add: (entries) => (away ? Promise.reject(new Error('the store is away')) : index.add(entries)),
    };
    await place.write(
      async (log) => {
        await appendSamples(log, 5);
        await eventually(() => place.problems.length > 0, 'the index says that it is behind');
        away = false;
        await appendSamples(log, 5);
      },
      { index: flaky, rotateBytes: 1_000 },
    );
    assert.equal(await index.newest(), place.lines().length);
    assert.equal((await index.ofPeriod(0, SAMPLE_TIME * 2)).length, place.lines().length);
    assert.equal(place.problems.filter((problem) => problem.includes('behind')).length, 1);
    assert.equal(await catchUpIndex({ directory: place.directory, index }), 0);
  });

  it('does not give what the file does not hold any more', async () => {
    await place.write((log) => appendSamples(log, 2), { index });
    const [entry] = await index.ofRun('run-1');
    const path = join(place.directory, place.files()[0] ?? '');
    writeFileSync(path, readFileSync(path, 'utf8').replace('succeeded', 'cancelled'));
    assert.ok(entry);
    await assert.rejects(readIndexedRecord(place.directory, entry), { code: 'ERR_AUDIT_UNAVAILABLE' });
  });
});
