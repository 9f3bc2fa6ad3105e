import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import fc from 'fast-check';
import { PlumblineError } from '#core/errors.ts';
import { hashOf } from '#gateway/audit/audit-record.ts';
import { checkpointPath, checkpointText } from '#gateway/audit/checkpoint-note.ts';
import { verifyAudit } from '#gateway/audit/verify-audit.ts';
import { AuditPlace, appendSamples, kindsOf, notesIn, SAMPLE_TIME } from '../../../support/audit-sample.ts';

/** Two files, two checkpoints, and nothing behind the last one. */
async function sample(records = 4): Promise<AuditPlace> {
  const place = new AuditPlace();
  const checkpoint = { exportDirectory: place.exported };
  await place.write((log) => appendSamples(log, records), { rotateBytes: 700, checkpoint });
  return place;
}

/** All lines in one file under its right name, so that tests can do to them what they like. */
function writeLines(place: AuditPlace, lines: readonly string[]): void {
  const [first = ''] = place.files();
  for (const name of place.files()) rmSync(join(place.directory, name));
  writeFileSync(join(place.directory, first), lines.map((line) => `${line}\n`).join(''));
}

describe('verifyAudit', function () {
  // Thousands of verifications: seconds, and more where the machine is busy.
  this.timeout(120_000);
  let place: AuditPlace;
  beforeEach(async () => {
    place = await sample();
  });
  afterEach(() => place.remove());

  it('finds nothing in a log that nobody touched, and says what it could not have found', async () => {
    const result = await place.verify();
    assert.equal(result.verdict, 'intact');
    assert.deepEqual(result.findings, []);
    assert.equal(result.records, 5);
    assert.ok(result.files > 1);
    assert.deepEqual(result.checkpoints, { local: 1, exported: 0, covers: 5, exportedCovers: undefined });
    assert.match(result.limits.join(), /No exported checkpoint/);
    const exported = await place.verify({ checkpoints: [place.exported] });
    assert.deepEqual(exported.checkpoints, { local: 1, exported: 1, covers: 5, exportedCovers: 5 });
    assert.doesNotMatch(exported.limits.join(), /No exported checkpoint/);
  });

  it('finds a single changed byte at every place of every file', async () => {
    const files = [...place.files().map((name) => join(place.directory, name)), ...place.notes()];
    const { publicKeys } = await place.keys();
    for (const path of files) {
      const original = readFileSync(path);
      for (let at = 0; at < original.length; at += 1) {
        const changed = Buffer.from(original);
        changed[at] = (original[at] ?? 0) ^ (1 << (at % 8));
        writeFileSync(path, changed);
        const { verdict } = await verifyAudit({ directory: place.directory, publicKeys });
        assert.equal(
          verdict,
          'damaged',
          `${basename(path)} byte ${at}: ${JSON.stringify(changed.toString('latin1', at, at + 1))}`,
        );
      }
      writeFileSync(path, original);
    }
    assert.equal((await place.verify()).verdict, 'intact');
  });

  it('finds every removal, repetition, swap, insertion and replacement', async () => {
    const original = place.lines();
    const at = fc.nat(original.length - 1);
    const edit = fc.oneof(
      at.map((i) => original.filter((_, index) => index !== i)),
      fc.tuple(at, at).map(([i, j]) => original.toSpliced(j, 0, original[i] ?? '')),
      fc.tuple(at, at).map(([i, j]) => original.with(i, original[j] ?? '').with(j, original[i] ?? '')),
      fc.tuple(at, fc.string()).map(([i, text]) => original.toSpliced(i, 0, text)),
      fc.tuple(at, fc.string()).map(([i, text]) => original.with(i, text)),
      fc.tuple(at, at).map(([i, length]) => original.toSpliced(i, length + 1)),
    );
    await fc.assert(
      fc.asyncProperty(edit, async (lines) => {
        fc.pre(lines.join('\n') !== original.join('\n'));
        writeLines(place, lines);
        assert.equal((await place.verify()).verdict, 'damaged');
      }),
      { numRuns: 150 },
    );
    writeLines(place, original);
    assert.equal((await place.verify()).verdict, 'intact');
  });

  it('finds a record that was changed together with all links behind it', async () => {
    const lines = place.lines();
    let previous: string | undefined;
    const forged = lines.map((line, index) => {
      let text = index === 1 ? line.replace('succeeded', 'cancelled') : line;
      if (previous !== undefined) text = text.replace(/"previous":"\w+"/, `"previous":"${previous}"`);
      previous = hashOf(text);
      return text;
    });
    writeLines(place, forged);
    const result = await place.verify();
    assert.deepEqual(kindsOf(result), ['checkpoint-mismatch']);
    assert.equal(result.findings[0]?.sequence, 5);
  });

  it('names the record, the line and the file of what it found', async () => {
    const lines = place.lines();
    writeLines(place, lines.with(2, lines[2]?.replace('succeeded', 'cancelled') ?? ''));
    const { findings } = await place.verify();
    assert.deepEqual(
      findings.map(({ kind, sequence, line, file }) => ({ kind, sequence, line, file })),
      [{ kind: 'changed', sequence: 3, line: 4, file: place.files()[0] }],
    );
    assert.doesNotMatch(JSON.stringify(findings), /cancelled/);
  });

  it('finds a file that was removed, renamed, or put beside', async () => {
    const [first = '', second = ''] = place.files();
    const [from, to] = [join(place.directory, first), join(place.directory, second)];
    renameSync(to, `${to}.away`);
    assert.ok(kindsOf(await place.verify()).includes('missing'));
    renameSync(`${to}.away`, to);
    const renamed = join(place.directory, first.replace('T12', 'T11'));
    renameSync(from, renamed);
    assert.deepEqual(kindsOf(await place.verify()), ['file-name']);
    renameSync(renamed, from);
    writeFileSync(join(place.directory, first.replace('T12', 'T13')), readFileSync(from));
    assert.equal((await place.verify()).verdict, 'damaged');
  });

  it('finds that the end was cut off, by a checkpoint beside the log or by an exported one', async () => {
    writeLines(place, place.lines().slice(0, 3));
    const local = await place.verify();
    assert.deepEqual(kindsOf(local), ['truncated']);
    rmSync(join(place.directory, 'checkpoints'), { recursive: true });
    const without = await place.verify();
    assert.equal(without.verdict, 'unproven');
    assert.match(without.limits.join(), /No exported checkpoint/);
    const exported = await place.verify({ checkpoints: [place.exported] });
    assert.deepEqual(kindsOf(exported), ['truncated']);
    assert.equal((await place.verify({ checkpoints: notesIn(place.exported) })).verdict, 'damaged');
  });

  it('finds a log that was written anew with the right key, by an exported checkpoint', async () => {
    const anew = new AuditPlace();
    mkdirSync(join(anew.root, 'keys'));
    for (const name of readdirSync(join(place.root, 'keys')))
      writeFileSync(join(anew.root, 'keys', name), readFileSync(join(place.root, 'keys', name)), { mode: 0o600 });
    await anew.write((log) => appendSamples(log, 4, 100));
    assert.equal((await anew.verify()).verdict, 'intact');
    assert.deepEqual(kindsOf(await anew.verify({ checkpoints: [place.exported] })), ['checkpoint-mismatch']);
    anew.remove();
  });

  it('finds a checkpoint that somebody else signed', async () => {
    const other = new AuditPlace();
    const keys = await other.keys();
    const checkpoint = { origin: keys.origin, sequence: 3, hash: hashOf(place.lines()[2] ?? ''), at: SAMPLE_TIME };
    const path = join(place.directory, 'checkpoints', checkpointPath(checkpoint));
    writeFileSync(path, keys.sign(checkpointText(checkpoint)));
    assert.deepEqual(kindsOf(await place.verify()), ['checkpoint-forged']);
    other.remove();
  });

  it('finds a checkpoint that was removed or moved', async () => {
    await place.write((log) => appendSamples(log, 2, 10));
    const [first = ''] = place.notes();
    const text = readFileSync(first);
    rmSync(first);
    assert.deepEqual(kindsOf(await place.verify()), ['checkpoint-missing']);
    writeFileSync(join(dirname(first), '0000000000000002.note'), text);
    assert.ok(kindsOf(await place.verify()).includes('file-name'));
  });

  it('tells a torn end from a whole one', async () => {
    const path = join(place.directory, place.files().at(-1) ?? '');
    truncateSync(path, readFileSync(path).length - 7);
    assert.deepEqual(kindsOf(await place.verify()), ['torn', 'truncated']);
  });

  it('knows the keys of before a rotation, and follows a log whose old files were archived', async () => {
    const { rotateAuditKeys } = await import('#gateway/audit/audit-keys.ts');
    await rotateAuditKeys({ directory: join(place.root, 'keys'), origin: 'gateway.example/audit' });
    await place.write((log) => appendSamples(log, 2, 10));
    const { publicKeys } = await place.keys();
    assert.equal(publicKeys.length, 2);
    assert.equal((await place.verify()).verdict, 'intact');
    const newest = await verifyAudit({ directory: place.directory, publicKeys: publicKeys.slice(1) });
    assert.ok(kindsOf(newest).includes('checkpoint-forged'));
    const [first = '', second = ''] = place.files();
    rmSync(join(place.directory, first));
    assert.ok(kindsOf(await place.verify()).includes('missing'));
    const retainedFrom = Number(second.slice('audit-'.length, 'audit-'.length + 16));
    assert.equal((await place.verify({ retainedFrom })).verdict, 'intact');
  });

  it('keeps the list of findings short', async () => {
    writeLines(
      place,
      Array.from({ length: 3_000 }, (_, i) => place.lines()[i % 2] ?? ''),
    );
    const { findings, omittedFindings } = await place.verify();
    assert.equal(findings.length, 1_000);
    assert.ok(omittedFindings > 500);
  });

  it('bears any bytes', async () => {
    const path = join(place.directory, place.files()[0] ?? '');
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), async (bytes) => {
        writeFileSync(path, Buffer.concat([bytes, Buffer.from('\n')]));
        assert.equal((await place.verify()).verdict, 'damaged');
      }),
      { numRuns: 50 },
    );
    writeFileSync(path, Buffer.alloc(3_000_000, 'x'));
    assert.equal((await place.verify()).verdict, 'damaged');
  });

  it('refuses a key that is none and a log that is not there', async () => {
    const isCode = (code: string) => (error: unknown) => error instanceof PlumblineError && error.code === code;
    await assert.rejects(verifyAudit({ directory: place.directory, publicKeys: ['x'] }), isCode('ERR_INPUT_INVALID'));
    await assert.rejects(verifyAudit({ directory: '/nowhere', publicKeys: [] }), isCode('ERR_AUDIT_UNAVAILABLE'));
    mkdirSync(join(place.root, 'empty'));
    const empty = await verifyAudit({ directory: join(place.root, 'empty'), publicKeys: [] });
    assert.equal(empty.verdict, 'damaged');
  });
});
