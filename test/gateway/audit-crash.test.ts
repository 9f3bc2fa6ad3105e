import assert from 'node:assert/strict';
import { join } from 'node:path';
import { systemClock } from '#core/clock.ts';
import { hashOf } from '#gateway/audit/audit-record.ts';
import { verifyAudit } from '#gateway/audit/verify-audit.ts';
import { AuditPlace, kindsOf } from '../support/audit-sample.ts';
import { AuditWriterProcess } from '../support/audit-writer-process.ts';

const ROUNDS = 12;

describe('the audit log of a process that is killed while it writes', function () {
  this.timeout(120_000);
  let place: AuditPlace;
  const writers: AuditWriterProcess[] = [];
  beforeEach(() => {
    place = new AuditPlace();
  });
  afterEach(async () => {
    for (const writer of writers.splice(0)) await writer.kill();
    place.remove();
  });

  function startWriter(): AuditWriterProcess {
    const writer = new AuditWriterProcess({ directory: place.directory, keys: join(place.root, 'keys') });
    writers.push(writer);
    return writer;
  }

  it(`has every record that was said to be there, in one chain over ${ROUNDS} kills`, async () => {
    const receipts = new Map<number, string>();
    for (let round = 0; round < ROUNDS; round += 1) {
      const writer = startWriter();
      await writer.until((told) => told.length > 3 + round * 29);
      await writer.kill();
      for (const [sequence, hash] of writer.receipts) {
        assert.equal(receipts.has(sequence), false, `${sequence} was given twice`);
        receipts.set(sequence, hash);
      }
    }
    const bySequence = new Map(place.lines().map((line) => [Number(JSON.parse(line).sequence), hashOf(line)]));
    for (const [sequence, hash] of receipts) assert.equal(bySequence.get(sequence), hash, `record ${sequence}`);
    await place.write(async () => undefined, { clock: systemClock });
    const { publicKeys } = await place.keys();
    const result = await verifyAudit({ directory: place.directory, publicKeys });
    assert.deepEqual(
      kindsOf(result).filter((kind) => kind !== 'recovered' && kind !== 'checkpoint-missing'),
      [],
    );
    assert.equal(result.verdict, 'intact', JSON.stringify(result.findings, undefined, 1));
    assert.ok(result.files > 3);
    assert.ok(result.records > receipts.size);
  });

  it('has one writing process at a time, and is free as soon as that one is dead', async () => {
    const first = startWriter();
    await first.until((told) => told.includes('open'));
    const second = startWriter();
    await second.ended();
    assert.deepEqual(second.told, ['failed ERR_AUDIT_IN_USE']);
    await first.kill();
    const third = startWriter();
    await third.until((told) => told.includes('open'));
    await third.kill();
  });

  it('can be verified while it is written', async () => {
    const writer = startWriter();
    await writer.until((told) => told.length > 200);
    const { publicKeys } = await place.keys();
    for (let round = 0; round < 10; round += 1) {
      const result = await verifyAudit({ directory: place.directory, publicKeys });
      assert.equal(result.verdict, 'intact', JSON.stringify(result.findings));
    }
    await writer.kill();
  });
});
