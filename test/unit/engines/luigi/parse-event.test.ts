import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parseExitRecord } from '#engines/luigi/exit-record.ts';
import { parseLine } from '#engines/luigi/parse-event.ts';
import { RunStory } from '#engines/luigi/run-story.ts';

const line = (fields: object) => JSON.stringify({ v: 1, at: 1.5, pid: 7, ...fields });

describe('a line of the event file', () => {
  it('is an event in milliseconds', () => {
    const parsed = parseLine(line({ e: 'start', task: 'A', more: 1 }));
    assert.deepEqual(parsed, { kind: 'event', event: { e: 'start', at: 1_500, task: 'A' } });
  });

  for (const [what, text, kind] of [
    ['a cut line', line({ e: 'start', task: 'A' }).slice(0, 20), 'unreadable'],
    ['no JSON', 'hello', 'unreadable'],
    ['no object', '[1]', 'unreadable'],
    ['a missing field', line({ e: 'start' }), 'unreadable'],
    ['an event of a later version', line({ e: 'constructor' }), 'unknown'],
    ['another protocol', JSON.stringify({ v: 2, e: 'hello', at: 1 }), 'foreign'],
  ] as const) {
    it(`is ${kind} when it is ${what}`, () => assert.equal(parseLine(text).kind, kind));
  }

  it('takes an answer that is neither true nor false for no answer', () => {
    for (const complete of [null, 'true', 1]) {
      const parsed = parseLine(line({ e: 'asked', complete, verifiable: true }));
      assert.equal(parsed.kind === 'event' && parsed.event.e === 'asked' && parsed.event.complete, null);
    }
  });

  it('reads an object where a text, a number or a version should stand, whatever it calls its own', () => {
    const strange = { toString: 1, valueOf: 1 };
    const failure = parseLine(line({ e: 'failure', task: 'A', message: strange, frames: [{ line: strange }] }));
    assert.ok(failure.kind === 'event' && failure.event.e === 'failure');
    assert.deepEqual([failure.event.message, failure.event.frames[0]?.line], [JSON.stringify(strange), 0]);
    const story = new RunStory();
    story.fold(parseLine(JSON.stringify({ v: strange, e: 'hello' })));
    assert.equal(story.foreign, JSON.stringify(strange));
    assert.deepEqual(parseExitRecord(JSON.stringify({ code: 0, killed: strange, left: strange })), {
      code: 0,
      signal: null,
      stopped: false,
      killed: 0,
      left: 0,
    });
  });

  it('never throws', () => {
    const names = ['task', 'failure', 'end', 'asked', 'bye', 'inputs', 'batch', 'refused', 'hello'];
    const fields = fc.dictionary(
      fc.constantFrom('task', 'params', 'deps', 'frames', 'targets', 'at', 'members'),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...names),
        fields,
        (e, rest) => void parseLine(JSON.stringify({ v: 1, at: 1, ...rest, e })),
      ),
    );
    fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => void parseLine(text)));
  });
});
