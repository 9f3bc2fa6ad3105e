import assert from 'node:assert/strict';
import fc from 'fast-check';
import { AnswerError } from '#engines/answer-fields.ts';
import { readStream, type StreamItem } from '#engines/luigi/gateway-stream.ts';
import { readUpdate } from '#engines/luigi/gateway-update.ts';

async function read(...chunks: (string | Uint8Array)[]): Promise<StreamItem[]> {
  async function* bytes() {
    for (const chunk of chunks) yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
  }
  const items: StreamItem[] = [];
  for await (const item of readStream(bytes())) items.push(item);
  return items;
}

const event = (id: string, update: unknown) => `id: ${id}\nevent: update\ndata: ${JSON.stringify(update)}\n\n`;
const STATE = { kind: 'state', state: 'running', at: 5 };
const TASK = {
  id: 't',
  family: 'F',
  parameters: { a: 'b' },
  state: 'failed',
  dependsOn: ['u'],
  attempts: 1,
  failure: { type: 'ValueError', message: 'no', traceback: 'x\ny', frame: { file: '/a.py', line: 3, function: 'run' } },
  inputs: [{ namespace: 'file', name: '/x', type: 'LocalTarget' }],
  outputs: [],
};
const OUTCOME = {
  state: 'failed',
  verified: 'refuted',
  findings: [{ severity: 'error', code: 'ERR_RUN_FAILED', message: 'no', taskId: 't' }],
  startedAt: 1,
  endedAt: 2,
  engine: { name: 'luigi', version: '3.6.0', adapterVersion: '1' },
};

describe('the event stream of a gateway', () => {
  it('is read byte by byte as in one piece', async () => {
    const text = `: beat\n\n${event('1', STATE)}retry: 5\n\n${event('2', { kind: 'task', task: { ...TASK, statusMessage: 'ü💾' }, at: 1 })}event: end\ndata:\n\n`;
    const bytes = Buffer.from(text);
    const single = await read(...Array.from(bytes, (byte) => Uint8Array.of(byte)));
    assert.deepEqual(single, await read(text));
    assert.deepEqual(
      single.map(({ kind }) => kind),
      ['alive', 'update', 'update', 'end'],
    );
  });

  it('leaves out what the end of a connection cuts off', async () => {
    assert.deepEqual(await read(event('1', STATE).slice(0, -1)), []);
  });

  it('passes over kinds and fields that a later gateway may send', async () => {
    const items = await read(
      `${event('1', { kind: 'weather' })}event: other\ndata: 1\n\nunknown: x\n\n${event('2', { ...STATE, more: 1 })}`,
    );
    assert.deepEqual(items, [
      { kind: 'update', sequence: 1, update: undefined },
      { kind: 'alive' },
      { kind: 'update', sequence: 2, update: STATE },
    ]);
  });

  it('takes a code that it does not know for a failure', () => {
    const update = readUpdate({
      kind: 'outcome',
      outcome: { ...OUTCOME, findings: [{ ...OUTCOME.findings[0], code: 'ERR_NEW' }] },
    });
    assert.equal(update?.kind === 'outcome' && update.outcome.findings[0]?.code, 'ERR_RUN_FAILED');
  });

  const WRONG: Readonly<Record<string, string>> = {
    'no number': `event: update\ndata: ${JSON.stringify(STATE)}\n\n`,
    'a number that is none': event('1e3', STATE),
    'number zero': event('0', STATE),
    'no JSON': 'id: 1\nevent: update\ndata: {\n\n',
    'no object': event('1', [1]),
    'no kind': event('1', {}),
    'a state that there is not': event('1', { ...STATE, state: 'green' }),
    'a time that is none': event('1', { ...STATE, at: '5' }),
    'a time beyond all dates': event('1', { ...STATE, at: 1e300 }),
    'a task without an id': event('1', { kind: 'task', task: { ...TASK, id: '' }, at: 1 }),
    'a task with a long id': event('1', { kind: 'task', task: { ...TASK, id: 'x'.repeat(5_000) }, at: 1 }),
    'parameters that are no texts': event('1', { kind: 'task', task: { ...TASK, parameters: { a: {} } }, at: 1 }),
    'dependencies that are no names': event('1', { kind: 'task', task: { ...TASK, dependsOn: [1] }, at: 1 }),
    'a frame without a line': event('1', {
      kind: 'task',
      task: { ...TASK, failure: { ...TASK.failure, frame: { file: 'a', line: -1, function: 'f' } } },
      at: 1,
    }),
    'success that was refuted': event('1', {
      kind: 'outcome',
      outcome: { ...OUTCOME, state: 'succeeded', findings: [] },
    }),
    'success that nobody verified': event('1', {
      kind: 'outcome',
      outcome: { ...OUTCOME, state: 'succeeded', verified: 'unknown', findings: [] },
    }),
    'a failure without an error': event('1', { kind: 'outcome', outcome: { ...OUTCOME, findings: [] } }),
    'an outcome that goes on': event('1', { kind: 'outcome', outcome: { ...OUTCOME, state: 'running' } }),
  };
  for (const [name, text] of Object.entries(WRONG)) {
    it(`refuses ${name}, and does not quote it`, async () => {
      await assert.rejects(read(text), (error: unknown) => error instanceof AnswerError && error.message.length < 200);
    });
  }

  it('refuses an event without end', async () => {
    const piece = `${'x'.repeat(1024 * 1024)}`;
    await assert.rejects(read('data: ', ...Array.from({ length: 17 }, () => piece)), /longer than/);
  });

  it('cuts texts that are too long', () => {
    const update = readUpdate({ kind: 'task', task: { ...TASK, statusMessage: 'x'.repeat(100_000) }, at: 1 });
    assert.equal(update?.kind === 'task' && update.task.statusMessage?.length, 8_000);
  });

  it('gives an update or an AnswerError for any JSON', () => {
    const anything = fc.oneof(
      fc.jsonValue(),
      fc.record({
        kind: fc.constantFrom('state', 'task', 'status', 'outcome'),
        state: fc.jsonValue(),
        task: fc.oneof(
          fc.jsonValue(),
          fc.record(Object.fromEntries(Object.keys(TASK).map((key) => [key, fc.jsonValue()]))),
        ),
        outcome: fc.oneof(
          fc.jsonValue(),
          fc.record(Object.fromEntries(Object.keys(OUTCOME).map((key) => [key, fc.jsonValue()]))),
        ),
        at: fc.oneof(fc.jsonValue(), fc.constant(1)),
      }),
    );
    fc.assert(
      fc.property(anything, (value) => {
        try {
          readUpdate(value);
        } catch (error) {
          assert.ok(error instanceof AnswerError, String(error));
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
