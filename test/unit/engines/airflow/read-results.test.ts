import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { JsonValue } from '#core/json.ts';
import { readResults, sourceOf, type WantedResult } from '#engines/airflow/read-results.ts';
import { instance } from '../../../support/airflow/timed-airflow.ts';

const RUN = { dagId: 'sales', runId: 'r1' };
const { signal } = new AbortController();

const INSTANCES = [
  instance('load'),
  instance('load.rows'),
  instance('group.load'),
  ...[2, 0, 1].map((mapIndex) => instance('part', { mapIndex })),
];
const VALUES: Readonly<Record<string, JsonValue>> = {
  'load/return_value': 'loaded',
  'load/count': 42,
  'load/a.b': [1, null],
  'load.rows/return_value': { rows: 3 },
  'group.load/rows': true,
  'load/hostile': '##vso[task.setvariable variable=x]1',
  'load/huge': 'é'.repeat(10_000),
  'part[0]/return_value': 'a',
  'part[1]/return_value': 'b',
  'part[1]/rows': 7,
};

async function results(...wanted: readonly (string | WantedResult)[]) {
  const api = {
    taskInstances: async () => INSTANCES,
    xcom: async (_: unknown, { taskId, mapIndex, key }: { taskId: string; mapIndex: number; key: string }) =>
      VALUES[`${taskId}${mapIndex < 0 ? '' : `[${mapIndex}]`}/${key}`],
  };
  const named = wanted.map((one) => (typeof one === 'string' ? { name: one, task: one } : one));
  return readResults(api, RUN, named, signal);
}

describe('results of a DAG run', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['load', 'loaded'],
    ['load.count', '42'],
    ['load.a.b', '[1,null]'],
    ['load.rows', '{"rows":3}'],
    ['group.load.rows', 'true'],
    ['part', '["a","b",null]'],
    ['part[1]', 'b'],
    ['part[1].rows', '7'],
  ];
  for (const [task, value] of cases) {
    it(`${task} is ${value}`, async () => {
      assert.equal((await results(task)).values.get(task), value);
    });
  }

  it('has a key beside the task, which then is the whole id', async () => {
    const { values, missing } = await results(
      { name: 'x', task: 'load', key: 'a.b' },
      { name: 'y', task: 'load.count', key: 'z' },
    );
    assert.deepEqual([[...values], missing.map(({ name }) => name)], [[['x', '[1,null]']], ['y']]);
  });

  it('says what is missing, and why', async () => {
    const { values, missing } = await results('nobody', 'load.nothing', 'load.huge', 'part[9]', 'load.');
    assert.equal(values.size, 0);
    assert.deepEqual(
      missing.map(({ why }) => why),
      [
        'the run has no task of which nobody is a value',
        'the task load has pushed no value nothing',
        'the value huge of the task load has 20000 bytes, and a variable takes 16384',
        'the task part has pushed no value return_value',
        'the run has no task of which load. is a value',
      ],
    );
  });

  it('gives no orders to the agent', async () => {
    assert.equal((await results('load.hostile')).values.get('load.hostile'), '##vs o[task.setvariable variable=x]1');
  });

  it('means the longest task that there is, and the rest is the key', () => {
    const part = fc.stringMatching(/^[a-z]{1,2}$/);
    const dotted = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('.'));
    fc.assert(
      fc.property(fc.uniqueArray(dotted, { minLength: 1, maxLength: 8 }), dotted, (tasks, wanted) => {
        const source = sourceOf({ name: 'x', task: wanted }, new Map(tasks.map((task) => [task, [-1]])));
        const fitting = tasks.filter((task) => wanted === task || wanted.startsWith(`${task}.`));
        const longest = fitting.sort((a, b) => b.length - a.length)[0];
        assert.equal(source?.taskId, longest);
        if (longest !== undefined) assert.equal(source?.key, wanted.slice(longest.length + 1) || 'return_value');
      }),
    );
  });
});
