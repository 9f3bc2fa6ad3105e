import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { EventTail } from '#engines/luigi/event-tail.ts';

const start = (task: string) => JSON.stringify({ v: 1, e: 'start', at: 1, pid: 1, task });

describe('the tail of the event file', () => {
  let folder: string;
  let path: string;
  let tail: EventTail;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tail-'));
    path = join(folder, 'events.jsonl');
    writeFileSync(path, '');
    tail = new EventTail(path);
  });
  afterEach(() => {
    tail.close();
    rmSync(folder, { recursive: true });
  });

  /** Writes the bytes in pieces and reads after each. */
  function piecemeal(own: EventTail, bytes: Buffer, cuts: readonly number[]): string[] {
    const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
    return ends.flatMap((end, i) => {
      appendFileSync(path, bytes.subarray(ends[i - 1] ?? 0, end));
      return read(own);
    });
  }

  function read(from = tail): string[] {
    return [...from.read()].map((line) =>
      line.kind === 'event' && line.event.e === 'start' ? line.event.task : line.kind,
    );
  }

  it('gives each line once, however the bytes come', () => {
    const names = fc.array(fc.string({ maxLength: 30 }), { maxLength: 10 });
    fc.assert(
      fc.property(names, fc.array(fc.nat(400)), (tasks, cuts) => {
        writeFileSync(path, '');
        const own = new EventTail(path);
        assert.deepEqual(piecemeal(own, Buffer.from(tasks.map((task) => `\n${start(task)}\n`).join('')), cuts), tasks);
        own.close();
      }),
      { numRuns: 60 },
    );
  });

  it('loses only the line that a full disk cut', () => {
    appendFileSync(path, `\n${start('a')}\n\n${start('b').slice(0, 12)}\n${start('c')}\n`);
    assert.deepEqual(read(), ['a', 'unreadable', 'c']);
  });

  it('keeps a line without its newline back, until it is asked for the rest', () => {
    appendFileSync(path, start('a'));
    assert.deepEqual(read(), []);
    assert.deepEqual(
      [...tail.readRest()].map(({ kind }) => kind),
      ['event'],
    );
    assert.deepEqual([...tail.readRest()], []);
  });

  it('does not keep a line of any length in memory', () => {
    for (let i = 0; i < 6; i += 1) appendFileSync(path, Buffer.alloc(1024 * 1024, 'x'));
    appendFileSync(path, `\n${start('a')}\n`);
    assert.deepEqual(read(), ['unreadable', 'a']);
  });
});
