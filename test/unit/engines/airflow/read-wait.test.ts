import assert from 'node:assert/strict';
import fc from 'fast-check';
import { readWait } from '#engines/airflow/read-wait.ts';

const STATES = ['queued', 'running', 'running', 'wört 💾', 'success'];
const LINES = STATES.map((state) => JSON.stringify({ state }));
const WIRE = Buffer.from(`${LINES.join('\n')}\n`);

async function* inPieces(bytes: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  let start = 0;
  for (const cut of [...cuts].sort((a, b) => a - b)) {
    yield bytes.subarray(start, Math.max(start, cut));
    start = Math.max(start, cut);
  }
  yield bytes.subarray(start);
}

async function read(chunks: AsyncIterable<Uint8Array>): Promise<readonly string[]> {
  const states: string[] = [];
  for await (const state of readWait(chunks)) states.push(state);
  return states;
}

describe('the stream of a wait', () => {
  it('is the same in whatever pieces it comes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(WIRE.length), { maxLength: 12 }), async (cuts) => {
        assert.deepEqual(await read(inPieces(WIRE, cuts)), STATES);
      }),
    );
  });

  it('tells nothing that it has not said, wherever it is cut', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(WIRE.length), async (length) => {
        const states = await read(inPieces(WIRE.subarray(0, length), []));
        assert.deepEqual(states, STATES.slice(0, states.length));
        const whole = WIRE.subarray(0, length).toString().split('\n').length - 1;
        assert.ok(states.length === whole || states.length === whole + 1);
      }),
    );
  });

  it('ends at what is no line of it', async () => {
    for (const other of ['<html>', '{"state": 1}', '{}', 'null', '"success"']) {
      assert.deepEqual(await read(inPieces(Buffer.from(`{"state":"running"}\n${other}\n{"state":"success"}\n`), [])), [
        'running',
      ]);
    }
  });
});
