import assert from 'node:assert/strict';
import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { PlumblineError } from '#core/errors.ts';
import type { AuditLog } from '#gateway/audit/audit-log.ts';
import { hashOf, NO_PREVIOUS } from '#gateway/audit/audit-record.ts';
import { canonicalJson } from '#gateway/audit/canonical-json.ts';
import {
  AuditPlace,
  appendSamples,
  eventually,
  kindsOf,
  notesIn,
  SAMPLE_TIME,
  sampleEvent,
} from '../../../support/audit-sample.ts';
import { FailingDisk } from '../../../support/failing-disk.ts';

function isUnavailable(error: unknown): boolean {
  return error instanceof PlumblineError && error.code === 'ERR_AUDIT_UNAVAILABLE' && error.remedy !== undefined;
}

function isInUse(error: unknown): boolean {
  return error instanceof PlumblineError && error.code === 'ERR_AUDIT_IN_USE';
}

describe('openAuditLog', () => {
  let place: AuditPlace;
  let log: AuditLog | undefined;
  beforeEach(() => {
    place = new AuditPlace();
  });
  afterEach(async () => {
    await log?.close();
    log = undefined;
    place.remove();
  });

  it('writes canonical CloudEvents, each with the hash of the line before, on the disk when append resolves', async () => {
    log = await place.open();
    const receipts = [await log.append(sampleEvent(1, { z: 1, a: 'ü\n' })), await log.append(sampleEvent(2))];
    const lines = place.lines();
    assert.deepEqual(
      receipts,
      lines.map((line, index) => ({ ...receipts[index], sequence: index + 1, hash: hashOf(line) })),
    );
    const records = lines.map((line) => JSON.parse(line));
    assert.deepEqual(records[0], {
      specversion: '1.0',
      id: '0000000000000001',
      sequence: '0000000000000001',
      previous: NO_PREVIOUS,
      source: 'gateway.example/audit',
      type: 'dev.plumbline.run.end',
      subject: 'run-1',
      time: '2026-11-21T12:00:00.000Z',
      datacontenttype: 'application/json',
      dataschema: 'https://plumbline.dev/schemas/gateway-audit-1.json',
      data: { state: 'succeeded', z: 1, a: 'ü\n' },
    });
    assert.equal(records[1].previous, hashOf(lines[0] ?? ''));
    for (const [i, line] of lines.entries()) assert.equal(line, canonicalJson(records[i]));
    assert.match(place.files()[0] ?? '', /^audit-0000000000000001-20261121T120000000Z\.jsonl$/);
  });

  it('keeps everything to its owner', async () => {
    await place.write((opened) => appendSamples(opened, 1), { checkpoint: { exportDirectory: place.exported } });
    const paths = readdirSync(place.root, { recursive: true, encoding: 'utf8' });
    for (const path of paths) {
      const { mode } = statSync(join(place.root, path));
      if (!path.endsWith('lock') && !path.endsWith('.pub')) assert.equal(mode & 0o077, 0, path);
    }
  });

  it('keeps the order of a thousand appends at once and needs few writes', async () => {
    const disk = new FailingDisk();
    log = await place.open({ disk });
    const opened = log;
    const first = opened.append(sampleEvent(0));
    const receipts = await Promise.all([
      first,
      ...Array.from({ length: 999 }, (_, i) => opened.append(sampleEvent(i + 1))),
    ]);
    assert.deepEqual(
      receipts.map(({ sequence }) => sequence),
      Array.from({ length: 1_000 }, (_, i) => i + 1),
    );
    const subjects = place.lines().map((line) => JSON.parse(line).subject);
    assert.deepEqual(
      subjects.slice(0, 1_000),
      Array.from({ length: 1_000 }, (_, i) => `run-${i}`),
    );
    assert.ok(disk.syncs <= 4, `${disk.syncs} syncs`);
    assert.ok(disk.writes <= 4, `${disk.writes} writes`);
  });

  it('writes what is appended while others are resolved', async () => {
    log = await place.open();
    const opened = log;
    const chains = Array.from({ length: 20 }, async (_, chain) => {
      for (let i = 0; i < 20; i += 1) await opened.append(sampleEvent(chain * 100 + i));
    });
    await Promise.all(chains);
    assert.equal(place.lines().length, 400);
  });

  it('goes on in the same chain after a stop, over files and days', async () => {
    for (let day = 0; day < 3; day += 1) {
      await place.write((opened) => appendSamples(opened, 5, day * 5), { rotateBytes: 1_000 });
      place.clock.advance(86_400_000);
    }
    assert.ok(place.files().length > 3);
    const result = await place.verify();
    assert.deepEqual(result.findings, []);
    assert.equal(result.records, 18);
    assert.equal(result.checkpoints.local, 3);
  });

  it('has one writer', async () => {
    log = await place.open();
    await assert.rejects(place.open(), isInUse);
    await log.close();
    log = await place.open();
  });

  it('is closed for good, and closes twice', async () => {
    const opened = await place.open();
    const last = opened.append(sampleEvent(1));
    const second = opened.close();
    await Promise.all([last, second, opened.close()]);
    await assert.rejects(opened.append(sampleEvent(2)), isUnavailable);
    assert.match(opened.problem() ?? '', /closed/);
  });

  it('refuses an event that is too large or of no type, and is none the worse', async () => {
    log = await place.open();
    const opened = log;
    await assert.rejects(opened.append(sampleEvent(1, { text: 'x'.repeat(300_000) })), TypeError);
    await assert.rejects(opened.append({ type: 'something', data: {} }), TypeError);
    await assert.rejects(opened.append(sampleEvent(1, { count: Number.NaN })), TypeError);
    await opened.append(sampleEvent(1));
    assert.equal(place.lines().length, 1);
  });

  for (const [failure, arrange, mend] of [
    [
      'a full disk',
      (disk: FailingDisk) => {
        disk.room = 150;
      },
      (disk: FailingDisk) => {
        disk.room = Number.POSITIVE_INFINITY;
      },
    ],
    ['a disk that fails', fails('write', 'EIO'), heals],
    ['a sync that fails', fails('datasync', 'EIO'), heals],
    ['a file system that became read-only', fails('write', 'EROFS', 'truncate', 'EROFS', 'open', 'EROFS'), heals],
    [
      'a write and a cut that fail',
      (disk: FailingDisk) => {
        disk.room = 150;
        disk.failing.set('truncate', 'EIO');
      },
      (disk: FailingDisk) => {
        disk.room = 1e9;
        heals(disk);
      },
    ],
  ] as const) {
    it(`refuses records on ${failure}, leaves none half-written, and goes on by itself`, async () => {
      const disk = new FailingDisk();
      log = await place.open({ disk, checkpoint: { everyMs: 1e9 } });
      const opened = log;
      await appendSamples(opened, 3);
      arrange(disk);
      const refused = await Promise.allSettled([opened.append(sampleEvent(4)), opened.append(sampleEvent(5))]);
      for (const result of refused) assert.ok(result.status === 'rejected' && isUnavailable(result.reason));
      await assert.rejects(opened.append(sampleEvent(6)), isUnavailable);
      assert.match(opened.problem() ?? '', /cannot be written/);
      mend(disk);
      // Nobody asks: it has to notice by itself.
      await eventually(
        () => opened.problem() === undefined,
        () => place.clock.advance(1_000),
      );
      await opened.append(sampleEvent(7));
      await opened.close();
      const records = place.lines().map((line) => JSON.parse(line));
      assert.deepEqual(records.map(({ subject }) => subject).filter(Boolean), ['run-1', 'run-2', 'run-3', 'run-7']);
      const told = records.find(({ type }) => type === 'dev.plumbline.audit.recovered');
      assert.ok(told.data.refused >= 3);
      const result = await place.verify();
      assert.deepEqual(kindsOf(result), ['recovered']);
      assert.equal(result.verdict, 'intact');
      assert.equal(place.problems.length, 2, place.problems.join('\n'));
    });
  }

  it('writes on after short writes', async () => {
    const disk = new FailingDisk();
    disk.most = 7;
    await place.write((opened) => appendSamples(opened, 3), { disk });
    assert.equal((await place.verify()).verdict, 'intact');
  });

  it('says that a disk does not answer, and resolves when it does', async () => {
    const disk = new FailingDisk();
    log = await place.open({ disk });
    let answer = () => undefined as unknown;
    disk.pause = new Promise((resolve) => {
      answer = () => resolve();
    });
    const appended = log.append(sampleEvent(1));
    await eventually(() => disk.syncs > 0);
    place.clock.advance(11_000);
    assert.match(log.problem() ?? '', /has not answered for 11 s/);
    answer();
    await appended;
    assert.equal(log.problem(), undefined);
  });

  for (const [what, act] of [
    ['removed', (path: string) => rmSync(path)],
    [
      'replaced',
      (path: string) => {
        renameSync(path, `${path}.old`);
        writeFileSync(path, 'x');
      },
    ],
    ['written by another', (path: string) => appendFileSync(path, '{"a":1}\n')],
    ['cut', (path: string) => truncateSync(path, 10)],
  ] as const) {
    it(`refuses a record when its file was ${what}, tells of it, and leaves it to be found`, async () => {
      log = await place.open();
      await appendSamples(log, 2);
      act(join(place.directory, place.files()[0] ?? ''));
      await assert.rejects(log.append(sampleEvent(3)), isUnavailable);
      await log.append(sampleEvent(4));
      await log.close();
      const told = place.lines().find((line) => line.includes('audit.recovered'));
      assert.match(told ?? '', /"changes":\["audit-[^"]*(removed|replaced|instead of)[^"]*"\]/);
      assert.equal((await place.verify()).verdict, 'damaged');
    });
  }

  it('holds the time when the clock goes back a little, and refuses records when it goes back far', async () => {
    log = await place.open();
    await log.append(sampleEvent(1));
    place.clock.advance(-2_000);
    await log.append(sampleEvent(2));
    assert.equal(JSON.parse(place.lines()[1] ?? '').time, new Date(SAMPLE_TIME).toISOString());
    place.clock.advance(-60_000);
    await assert.rejects(log.append(sampleEvent(3)), /clock went back by 62 s/);
    place.clock.advance(63_000);
    await log.append(sampleEvent(4));
    await log.close();
    place.clock.advance(-3_600_000);
    await place.write((opened) => appendSamples(opened, 1, 5));
    assert.deepEqual(kindsOf(await place.verify()), ['clock', 'recovered']);
  });

  it('keeps what a crash left half-written as evidence, whatever was cut, and goes on', async () => {
    log = await place.open({ checkpoint: { everyRecords: 1e9 } });
    await appendSamples(log, 3);
    const name = place.files()[0] ?? '';
    const whole = readFileSync(join(place.directory, name));
    const lineEnds = [...whole.keys()].filter((i) => whole[i] === 10).map((i) => i + 1);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(whole.length),
        fc.constantFrom('', '\0'.repeat(40), '\n\n', '{"a":'),
        async (length, rest) => {
          const left = Buffer.concat([whole.subarray(0, length), Buffer.from(rest)]);
          // The rest may bring just the newline that a record lacked.
          const isWhole = (end: number) => left.subarray(0, end).equals(whole.subarray(0, end));
          const records = lineEnds.filter(isWhole).length;
          await holdsAfterCrash(name, left, records, left.length > (lineEnds[records - 1] ?? 0));
        },
      ),
      { numRuns: 40, examples: [[(lineEnds[1] ?? 1) - 1, '\n\n']] },
    );
  });

  it('finds the evidence of a crash changed', async () => {
    await place.write((opened) => appendSamples(opened, 2));
    const path = join(place.directory, place.files()[0] ?? '');
    appendFileSync(path, '{"torn');
    await place.write((opened) => appendSamples(opened, 1));
    assert.equal((await place.verify()).verdict, 'intact');
    writeFileSync(path, readFileSync(path, 'utf8').replace('{"torn', '{"tarn'));
    assert.deepEqual(kindsOf(await place.verify()), ['recovered', 'torn']);
  });

  it('leaves a gap for good where a checkpoint vouches for records that are gone', async () => {
    await place.write((opened) => appendSamples(opened, 6));
    const path = join(place.directory, place.files()[0] ?? '');
    writeFileSync(path, `${place.lines().slice(0, 3).join('\n')}\n`);
    await place.write((opened) => appendSamples(opened, 1, 10));
    assert.match(place.problems.join(), /records 4 to 7 are gone/);
    const result = await place.verify();
    assert.deepEqual(kindsOf(result), ['missing', 'recovered']);
    assert.equal(JSON.parse(place.lines()[3] ?? '').sequence, '0000000000000008');
  });

  it('says so when the last record is not the one that its checkpoint vouches for', async () => {
    await place.write((opened) => appendSamples(opened, 2));
    const path = join(place.directory, place.files()[0] ?? '');
    writeFileSync(path, readFileSync(path, 'utf8').replace('"stop"', '"step"'));
    await place.write((opened) => appendSamples(opened, 1));
    assert.match(place.problems.join(), /was changed/);
  });
});

describe('checkpoints of the audit log', () => {
  let place: AuditPlace;
  beforeEach(() => {
    place = new AuditPlace();
  });
  afterEach(() => place.remove());

  it('are signed every N records, every T seconds when something was written, and at the stop', async () => {
    const log = await place.open({
      checkpoint: { everyMs: 60_000, everyRecords: 10, exportDirectory: place.exported },
    });
    await appendSamples(log, 10);
    await eventually(() => place.notes().length === 1);
    await appendSamples(log, 1, 20);
    for (let round = 0; round < 3; round += 1) {
      place.clock.advance(60_000);
      await eventually(() => place.notes().length === 2);
    }
    await appendSamples(log, 1, 30);
    await log.close();
    assert.equal(place.notes().length, 3);
    assert.deepEqual(
      notesIn(place.exported).map((path) => readFileSync(path, 'utf8')),
      place.notes().map((path) => readFileSync(path, 'utf8')),
    );
    const reasons = place.lines().map((line) => JSON.parse(line).data.reason);
    assert.deepEqual(reasons.filter(Boolean), ['records', 'time', 'stop']);
  });

  it('are not written again while nothing happens', async () => {
    await place.write((log) => appendSamples(log, 1));
    await place.write(async () => undefined);
    assert.equal(place.notes().length, 1);
    assert.equal(place.lines().length, 2);
  });

  it('wait for an export folder that is away, without holding up the log, and tell of it once', async () => {
    writeFileSync(place.exported, 'not a folder');
    const log = await place.open({ checkpoint: { exportDirectory: place.exported } });
    await appendSamples(log, 1);
    await log.checkpoint();
    await appendSamples(log, 1);
    await log.checkpoint();
    assert.equal(log.problem(), undefined);
    assert.equal(place.problems.length, 1);
    rmSync(place.exported);
    place.clock.advance(60_000);
    await log.close();
    assert.equal(notesIn(place.exported).length, 1);
    const result = await place.verify({ checkpoints: [place.exported] });
    assert.equal(result.checkpoints.exportedCovers, 4);
  });

  it('are whole or not there: one that was not finished is told and no forgery', async () => {
    await place.write((log) => appendSamples(log, 1));
    writeFileSync(join(place.directory, 'checkpoints/2026-11-21/0000000000000009.note'), '');
    const result = await place.verify();
    assert.deepEqual([result.verdict, ...kindsOf(result)], ['intact', 'checkpoint-missing']);
  });

  it('cannot make a record look refused by a listener that throws', async () => {
    writeFileSync(place.exported, 'not a folder');
    const onProblem = () => {
      throw new Error('a listener of no use');
    };
    const disk = new FailingDisk();
    const log = await place.open({ disk, onProblem, checkpoint: { exportDirectory: place.exported } });
    disk.failing.set('write', 'EIO');
    await assert.rejects(log.append(sampleEvent(1)), isUnavailable);
    disk.failing.clear();
    await log.append(sampleEvent(2));
    await log.close();
    assert.equal((await place.verify()).verdict, 'intact');
  });

  it('do not replace one that vouches for something else', async () => {
    await place.write((log) => appendSamples(log, 1), { checkpoint: { exportDirectory: place.exported } });
    const [first = ''] = notesIn(place.exported);
    const before = readFileSync(first, 'utf8');
    rmSync(place.directory, { recursive: true });
    await place.write((log) => appendSamples(log, 1, 7), { checkpoint: { exportDirectory: place.exported } });
    assert.equal(readFileSync(first, 'utf8'), before);
    assert.match(place.problems.join(), /holds another checkpoint/);
  });
});

function fails(...pairs: readonly string[]): (disk: FailingDisk) => void {
  return ({ failing }) => {
    for (let i = 0; i < pairs.length; i += 2) failing.set(pairs[i] as 'write', pairs[i + 1] as string);
  };
}

function heals({ failing }: FailingDisk): void {
  failing.clear();
}

async function holdsAfterCrash(name: string, left: Buffer, records: number, isTorn: boolean): Promise<void> {
  const crashed = new AuditPlace();
  mkdirSync(crashed.directory);
  writeFileSync(join(crashed.directory, name), left);
  // A file that begins in the same millisecond would have the same name.
  crashed.clock.advance(1);
  await crashed.write((opened) => opened.append(sampleEvent(9)));
  const result = await crashed.verify();
  assert.equal(result.verdict, 'intact', JSON.stringify(result.findings));
  assert.deepEqual(kindsOf(result), isTorn ? ['recovered'] : []);
  assert.equal(result.records, records + (isTorn ? 3 : 2));
  if (left.length > 0) assert.deepEqual(readFileSync(join(crashed.directory, name)).subarray(0, left.length), left);
  assert.equal(crashed.problems.length, isTorn ? 1 : 0);
  crashed.remove();
}
