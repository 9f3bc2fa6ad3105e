import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { AirflowApi } from '#engines/airflow/airflow-api.ts';
import { readDag, readImportError, readTask } from '#engines/airflow/read-dag.ts';
import { readLog } from '#engines/airflow/read-log.ts';
import { readAssetEvent, readHealth, readRun, readTaskInstance } from '#engines/airflow/read-run.ts';
import { readWait } from '#engines/airflow/read-wait.ts';
import { AnswerError, Fields } from '#engines/answer-fields.ts';
import { HttpResponse } from '#http/http-response.ts';
import { AIRFLOW_SPECS_PRESENT, AirflowSpec } from '../../../support/airflow/airflow-specs.ts';
import { RECORDED_LINES, RECORDED_RUN, recordedAnswers } from '../../../support/airflow/recorded-answers.ts';
import { ScriptedAirflow } from '../../../support/airflow/scripted-airflow.ts';

const SIGNAL = new AbortController().signal;
const SPECS = { '3.3.2': 'v2-3.2.1.yaml', '2.11.2': 'v1-2.10.yaml' } as const;
const specs = new Map<string, AirflowSpec>();
const specOf = (line: keyof typeof SPECS): AirflowSpec => {
  const spec = specs.get(line) ?? new AirflowSpec(SPECS[line]);
  specs.set(line, spec);
  return spec;
};
const READERS = { readDag, readTask, readImportError, readRun, readTaskInstance, readAssetEvent, readHealth } as const;
const REQUEST = { method: 'GET', url: new URL('http://airflow/') };

const responseOf = (type: string, body: string): HttpResponse =>
  new HttpResponse(REQUEST, { status: 200, headers: { 'content-type': type }, body: Buffer.from(body) });

/** Every object in recorded answers that a reader reads, by the reader's name. */
function samples(line: (typeof RECORDED_LINES)[number]): readonly [keyof typeof READERS, Record<string, unknown>][] {
  const body = (name: string) => recordedAnswers(line).get(name)?.body as Record<string, unknown>;
  const first = (name: string, list: string) => (body(name)[list] as Record<string, unknown>[])[0] ?? {};
  return [
    ['readDag', body('dag')],
    ['readTask', first('tasks', 'tasks')],
    ['readImportError', first('importErrors', 'import_errors')],
    ['readRun', body('run')],
    ['readTaskInstance', first('instances1', 'task_instances')],
    ['readAssetEvent', first('assetEvents', line === '3.3.2' ? 'asset_events' : 'dataset_events')],
    ['readHealth', body('health')],
  ];
}

for (const line of RECORDED_LINES) {
  describe(`Answers of Airflow ${line}`, () => {
    it('are read, or said to be none: no field can be of any kind without that', () => {
      const sample = fc.constantFrom(...samples(line)).chain(([reader, object]) =>
        fc.record({
          reader: fc.constant(reader),
          object: fc.constant(object),
          field: fc.constantFrom(...Object.keys(object)),
          value: fc.oneof(
            fc.jsonValue(),
            fc.constantFrom(null, undefined, -1, 1e308, '', '\u0000', 'x'.repeat(10_000)),
          ),
        }),
      );
      fc.assert(
        fc.property(sample, ({ reader, object, field, value }) => {
          try {
            READERS[reader](new Fields({ ...object, [field]: value }, 'answer'));
          } catch (thrown) {
            assert.ok(thrown instanceof AnswerError, String(thrown));
            assert.doesNotMatch(thrown.message, /x{20}/);
          }
        }),
        { numRuns: 400 },
      );
    });

    it('are needed in what identifies a run, a task and a DAG', () => {
      for (const [reader, fields] of [
        ['readRun', ['dag_id', 'dag_run_id', 'state']],
        ['readTaskInstance', ['task_id']],
        ['readTask', ['task_id']],
        ['readDag', ['dag_id']],
      ] as const) {
        const [, object] = samples(line).find(([name]) => name === reader) ?? ['', {}];
        for (const field of fields)
          for (const value of [undefined, null, '', 7, []])
            assert.throws(
              () => READERS[reader](new Fields({ ...object, [field]: value }, 'answer')),
              AnswerError,
              `${field}: ${value}`,
            );
      }
    });

    const withSpecs = AIRFLOW_SPECS_PRESENT ? it : it.skip;
    withSpecs('are as Airflow describes them, those of the stand-in too (needs ../shared/specs)', () => {
      const spec = specOf(line);
      for (const [name, answer] of recordedAnswers(line)) {
        if (name !== 'otherApi') assert.deepEqual(spec.findings(answer), [], name);
      }
    });

    withSpecs('are asked for as Airflow describes it (needs ../shared/specs)', async () => {
      const spec = specOf(line);
      const server = await ScriptedAirflow.start(line);
      try {
        const api = await server.open();
        for (const ask of everything(api)) await ask().catch(() => {});
        assert.ok(server.asked.length >= 14, String(server.asked.length));
        for (const { method, path, query, body } of server.asked) {
          const asked = { method, path: `${path}?${query}` };
          const request = body === '' ? {} : { request: JSON.parse(body) as Record<string, unknown> };
          const findings = spec.findings({ ...asked, ...request, status: 200, type: null, body: undefined });
          assert.deepEqual([...findings, ...spec.unknownQuery(asked)], [], `${method} ${path}`);
        }
      } finally {
        await server.close();
      }
    });
  });
}

/** Each method of the API, once. */
function everything(api: AirflowApi): readonly (() => Promise<unknown>)[] {
  const run = { dagId: 'd', runId: RECORDED_RUN };
  const task = { taskId: 't', mapIndex: 0 };
  return [
    () => api.dag('d', SIGNAL),
    () => api.importErrors('d.py', SIGNAL),
    () => api.tasks('d', SIGNAL),
    () => api.setPaused('d', false, SIGNAL),
    () => api.run('d', 'r', SIGNAL),
    () => api.runs([run], SIGNAL),
    () => api.runningRuns('d', SIGNAL),
    () => api.trigger('d', { runId: 'r', conf: { a: 1 }, note: 'n', logicalDate: '2026-01-01T00:00:00Z' }, SIGNAL),
    () => api.trigger('d', { runId: 'r', conf: {} }, SIGNAL),
    () => api.setState(run, 'failed', SIGNAL),
    () => api.setNote(run, 'n', SIGNAL),
    () => api.clear(run, { taskIds: ['t'], onlyFailed: true, goesOn: true }, SIGNAL),
    () => api.taskInstances(run, { changedSince: 0, signal: SIGNAL }),
    () => api.log(run, { ...task, tryNumber: 1, from: 'x' }, SIGNAL),
    () => api.xcom(run, { ...task, key: 'k' }, SIGNAL),
    () => api.assetEvents(run, SIGNAL),
    () => api.health(SIGNAL),
    ...(api.features.wait ? [() => api.wait(run, 1, SIGNAL)[Symbol.asyncIterator]().next()] : []),
  ];
}

describe('A log of a task', () => {
  const lines = (type: string, body: string) => readLog(responseOf(type, body)).lines;
  const JSON_TYPE = 'application/json';

  it('is text, whatever Python made of it on the way', () => {
    const text = fc.string({ unit: 'binary-ascii' });
    fc.assert(
      fc.property(text, text, (host, log) => {
        const literal = (value: string) =>
          `'${value.replace(/[\\'\n\r\t]/g, (found) => ESCAPES[found] ?? found).replace(/\p{Cc}/gu, hex)}'`;
        const content = `[(${literal(host)}, ${literal(log)})]`;
        assert.equal(lines(JSON_TYPE, JSON.stringify({ content })).join('\n'), shown(log));
      }),
    );
  });

  it('is read whatever its length', () => {
    const content = `[('host', '${'a line of it\\n'.repeat(1_500_000)}the end')]`;
    assert.ok(content.length > 20_000_000);
    assert.equal(lines(JSON_TYPE, JSON.stringify({ content })).at(-1), 'the end');
  });

  it('is of all hosts', () => {
    const content = String.raw`[('a', "it's\n\"so\""), ('b', 'two'),  ('c', 'cut in the`;
    assert.deepEqual(lines(JSON_TYPE, JSON.stringify({ content })), ["it's", '"so"', 'two']);
  });

  it('is as it came when it is no literal of Python', () => {
    assert.deepEqual(lines(JSON_TYPE, '{"content":"a\\nb\\n"}'), ['a', 'b']);
    assert.deepEqual(lines('text/plain; charset=utf-8', 'a\r\nb\n\n'), ['a', 'b']);
    assert.deepEqual(lines(JSON_TYPE, '{"content":["a","b\\nc"]}'), ['a', 'b', 'c']);
    assert.deepEqual(lines(JSON_TYPE, '{"content":[["host","a"]]}'), ['host', 'a']);
  });

  it('keeps what there is of a line of JSON that was cut', () => {
    assert.deepEqual(lines('application/x-ndjson', '{"event":"a"}\n{"event":"b'), ['a', '{"event":"b']);
  });

  it('tells causes before what came of them', () => {
    const failure = (exc_type: string, is_cause: boolean) => ({
      exc_type,
      exc_value: 'why',
      is_cause,
      frames: [{ filename: 'f.py', lineno: 3, name: 'load' }],
    });
    const content = [
      {
        event: 'Task failed',
        level: 'error',
        timestamp: 't',
        error_detail: [failure('C', false), failure('B', true), failure('A', false)],
      },
    ];
    assert.deepEqual(lines(JSON_TYPE, JSON.stringify({ content })), [
      '[t] ERROR - Task failed',
      'Traceback (most recent call last):',
      '  File "f.py", line 3, in load',
      'A: why',
      '',
      'During handling of the above exception, another exception occurred:',
      '',
      'Traceback (most recent call last):',
      '  File "f.py", line 3, in load',
      'B: why',
      '',
      'The above exception was the direct cause of the following exception:',
      '',
      'Traceback (most recent call last):',
      '  File "f.py", line 3, in load',
      'C: why',
    ]);
  });

  it('goes on while its token does not say that it is at its end', () => {
    const next = (token: object) => {
      const continuation_token = `${Buffer.from(JSON.stringify(token)).toString('base64url')}.c2lnbmVk`;
      return readLog(responseOf(JSON_TYPE, JSON.stringify({ content: 'a', continuation_token }))).next !== undefined;
    };
    assert.deepEqual(
      [next({ end_of_log: true }), next({ end_of_log: false }), next({ log_pos: 7 })],
      [false, true, true],
    );
    assert.equal(readLog(responseOf(JSON_TYPE, '{"content":[],"continuation_token":null}')).next, undefined);
  });

  it('is a log or none, whatever a server sends', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.jsonValue(), fc.record({ content: fc.jsonValue(), continuation_token: fc.jsonValue() })),
        (value) => {
          try {
            for (const line of lines(JSON_TYPE, JSON.stringify(value))) assert.equal(typeof line, 'string');
          } catch (thrown) {
            assert.ok(thrown instanceof AnswerError, String(thrown));
          }
        },
      ),
    );
  });
});

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', "'": "\\'", '\n': '\\n', '\r': '\\r', '\t': '\\t' };
const hex = (found: string) => `\\x${found.charCodeAt(0).toString(16).padStart(2, '0')}`;
/** Carriage returns at ends of lines and empty lines at the end are not kept. */
const shown = (log: string) => {
  const lines = log.split('\n').map((line) => line.replace(/\r$/, ''));
  while (lines.at(-1) === '') lines.pop();
  return lines.join('\n');
};

describe('The stream of a wait', () => {
  it('gives the same states however its bytes are cut into pieces, and never more than were sent whole', async () => {
    const words = fc.array(fc.constantFrom('queued', 'running', 'success', 'failed', 'new_wörd 🙂'), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(
        words,
        fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 40 }),
        fc.nat(),
        async (states, cuts, end) => {
          const bytes = Buffer.from(states.map((state) => `${JSON.stringify({ state })}\n`).join(''));
          const whole = bytes.subarray(0, end % (bytes.length + 1));
          async function* pieces(): AsyncGenerator<Uint8Array> {
            let from = 0;
            for (const size of [...cuts, bytes.length]) {
              yield whole.subarray(from, from + size);
              from += size;
            }
          }
          const told: string[] = [];
          for await (const state of readWait(pieces())) told.push(state);
          const complete = whole.toString('utf8').split('\n').length - 1;
          assert.deepEqual(told, states.slice(0, told.length));
          assert.ok(told.length === complete || told.length === complete + 1);
        },
      ),
    );
  });
});
