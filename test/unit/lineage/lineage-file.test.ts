import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeLineage } from '#lineage/describe-lineage.ts';
import { encodeLineage } from '#lineage/encode-lineage.ts';
import { writeLineageFile } from '#lineage/lineage-file.ts';
import type { RunEvent } from '#lineage/open-lineage.ts';
import { sampleProvenance, sampleTask, succeededRun } from '../../support/sample-run.ts';

function lineageOf(tasks: number) {
  const outcome = { ...succeededRun(), tasks: Array.from({ length: tasks }, (_, index) => sampleTask(`T_${index}`)) };
  return describeLineage(outcome, sampleProvenance(), { runId: 'r', workflow: 'T', producerVersion: '0.1.0' });
}

function read(text: string): RunEvent[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

describe('encodeLineage', () => {
  it('is one event a line', () => {
    const lineage = lineageOf(3);
    const { text, events, omittedRuns } = encodeLineage(lineage);
    assert.deepEqual(read(text), JSON.parse(JSON.stringify(lineage.events)));
    assert.equal(events, 10);
    assert.equal(omittedRuns, 0);
  });

  it('leaves out whole task runs when there is no room, never the step or the workflow, and counts them', () => {
    for (const maxBytes of [0, 10_000, 30_000, 60_000]) {
      const { text, omittedRuns } = encodeLineage(lineageOf(40), maxBytes);
      assert.ok(maxBytes < 20_000 || Buffer.byteLength(text) <= maxBytes);
      const events = read(text);
      const runs = new Set(events.map(({ run }) => run.runId));
      assert.equal(runs.size + omittedRuns, 42);
      assert.ok(omittedRuns > 0);
      for (const id of runs) assert.equal(events.filter(({ run }) => run.runId === id).length, 2);
      assert.deepEqual(read(text).at(-1)?.eventType, 'COMPLETE');
    }
  });

  it('writes no lone surrogate, escaped or not', () => {
    const outcome = { ...succeededRun(), tasks: [sampleTask('T', { family: 'a\ud800b' })] };
    const lineage = describeLineage(outcome, sampleProvenance(), {
      runId: 'r',
      workflow: 'T',
      producerVersion: '0.1.0',
    });
    const { text } = encodeLineage(lineage);
    assert.doesNotMatch(text, /\\ud800/);
    assert.match(text, /a\ufffdb/);
  });
});

describe('writeLineageFile', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'lineage-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('writes a file for its owner only and replaces an older one', async () => {
    const path = join(folder, 'lineage.jsonl');
    writeFileSync(path, 'old', { mode: 0o644 });
    await writeLineageFile(path, 'new\n');
    assert.equal(readFileSync(path, 'utf8'), 'new\n');
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(folder), ['lineage.jsonl']);
  });

  it('says which file could not be written and leaves nothing half written', async () => {
    const path = join(folder, 'taken');
    mkdirSync(path);
    writeFileSync(join(path, 'x'), '');
    await assert.rejects(writeLineageFile(path, 'new\n'), (error: { code: string; message: string }) => {
      assert.equal(error.code, 'ERR_PUBLISH_FAILED');
      assert.ok(error.message.startsWith(`The lineage file '${path}' could not be written: `), error.message);
      return true;
    });
    assert.deepEqual(readdirSync(folder), ['taken']);
    chmodSync(folder, 0o700);
  });
});
