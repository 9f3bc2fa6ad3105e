import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '#core/clock.ts';
import type { AuditLog } from '#gateway/audit/audit-log.ts';
import { AuditPlace, appendSamples, eventually, kindsOf, sampleEvent } from '../support/audit-sample.ts';
import { AuditWriterProcess } from '../support/audit-writer-process.ts';

const IS_ROOT = process.getuid?.() === 0;
const NOBODY = 65_534;

/** A file system of this size, and how to take it away; `undefined` where this process may not mount one. */
function smallDisk(directory: string, size: string): (() => void) | undefined {
  mkdirSync(directory, { recursive: true });
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', directory]);
  return mounted.status === 0 ? () => void spawnSync('umount', ['-l', directory]) : undefined;
}

/** Appends until so many are refused. @returns how many were not */
async function fill(log: AuditLog, untilRefused: number): Promise<number> {
  const results: string[] = [];
  const refused = () => results.filter((status) => status === 'rejected').length;
  for (let index = 0; refused() < untilRefused; index += 1) {
    const many = Array.from({ length: 1 + (index % 7) }, () => log.append(sampleEvent(index)));
    results.push(...(await Promise.allSettled(many)).map(({ status }) => status));
  }
  return results.length - refused();
}

describe('the audit log on a disk that takes no more', function () {
  this.timeout(60_000);
  let place: AuditPlace;
  let unmount: (() => void) | undefined;
  let writer: AuditWriterProcess | undefined;
  beforeEach(() => {
    place = new AuditPlace();
    unmount = undefined;
    writer = undefined;
  });
  afterEach(async () => {
    await writer?.kill();
    unmount?.();
    place.remove();
  });

  it('refuses records, keeps all that it had said yes to, and goes on when there is room (needs root)', async function () {
    unmount = smallDisk(place.directory, '256k');
    if (!unmount) this.skip();
    const filler = join(place.directory, 'filler');
    writeFileSync(filler, Buffer.alloc(100_000));
    const log = await place.open({ checkpoint: { everyRecords: 1e9, everyMs: 1e9 } });
    const kept = await fill(log, 5);
    assert.match(log.problem() ?? '', /no space left/);
    assert.equal(place.lines().length, kept);
    rmSync(filler);
    await eventually(
      () => log.problem() === undefined,
      () => place.clock.advance(1_000),
    );
    await appendSamples(log, 3);
    await log.close();
    const result = await place.verify();
    assert.deepEqual(kindsOf(result), ['recovered']);
    // What it kept, three, its own account of the outage, and the checkpoint.
    assert.equal(result.records, kept + 5);
  });

  it('refuses records at the limit of file sizes, and goes on in another file (needs prlimit)', async function () {
    const wrapper = ['prlimit', '--fsize=9000'];
    if (spawnSync('prlimit', ['--version']).status !== 0) this.skip();
    const started = new AuditWriterProcess({
      directory: place.directory,
      keys: join(place.root, 'keys'),
      width: 3,
      wrapper,
    });
    writer = started;
    await started.until((told) => told.filter((line) => line.startsWith('refused ERR_AUDIT_UNAVAILABLE')).length > 2);
    const before = started.receipts.size;
    await started.until(() => started.receipts.size > before + 20);
    await started.kill();
    assert.ok(started.told.some((line) => line.includes('limit of file sizes')));
    await place.write(async () => undefined, { clock: systemClock });
    const result = await place.verify();
    assert.equal(result.verdict, 'intact', JSON.stringify(result.findings));
    for (const [sequence, hash] of started.receipts)
      assert.ok(
        place.lines().some((line) => line.includes(`"previous":"${hash}"`)) || result.lastHash === hash,
        `${sequence}`,
      );
  });

  it('is not opened in a folder that cannot be written', async () => {
    if (IS_ROOT) {
      chmodSync(place.root, 0o755);
      const keys = join(place.root, 'keys');
      await place.keys();
      chownSync(keys, NOBODY, NOBODY);
      chownSync(join(keys, 'audit-signing.key'), NOBODY, NOBODY);
      mkdirSync(place.directory, { mode: 0o755 });
      const started = new AuditWriterProcess({ directory: place.directory, keys, user: NOBODY });
      await started.ended();
      assert.deepEqual(started.told, ['failed ERR_AUDIT_UNAVAILABLE']);
      return;
    }
    mkdirSync(place.directory, { mode: 0o500 });
    await assert.rejects(place.open(), { code: 'ERR_AUDIT_UNAVAILABLE' });
  });

  it('is not opened on a read-only file system (needs root)', async function () {
    unmount = smallDisk(place.directory, '256k');
    if (!unmount) this.skip();
    await place.write((log) => appendSamples(log, 2));
    assert.equal(spawnSync('mount', ['-o', 'remount,ro', place.directory]).status, 0);
    await assert.rejects(place.open(), { code: 'ERR_AUDIT_UNAVAILABLE' });
    assert.equal((await place.verify()).verdict, 'intact');
  });

  it('is not opened with a key that others may read', async () => {
    await place.keys();
    chmodSync(join(place.root, 'keys', 'audit-signing.key'), 0o640);
    await assert.rejects(place.keys(), { code: 'ERR_AUDIT_UNAVAILABLE' });
  });
});
