import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { JsonValue } from '#core/json.ts';
import type { AnswerView } from '#gateway/luigid/answer-view.ts';
import { batchSeal } from '#gateway/luigid/batch-seal.ts';
import { filterAnswer } from '#gateway/luigid/filter-answer.ts';
import { publicParameters } from '#gateway/luigid/public-parameters.ts';
import { workerAnswer } from '#gateway/luigid/worker-answer.ts';

const VIEW: AnswerView = {
  namespaces: ['own', 'also.own'],
  hiddenParameters: false,
  forPages: true,
  namespacesOfWorker: () => undefined,
};

const NAMESPACES = ['own', 'own.deep', 'also.own', 'foreign', 'ownx', 'also', ''];
const id = fc
  .tuple(fc.constantFrom(...NAMESPACES), fc.constantFrom('A', 'B', 'C'), fc.nat(9))
  .map(([namespace, name, n]) => `${namespace === '' ? '' : `${namespace}.`}${name}_${n}`);
const isForeign = (task: string) => !/^(own|also\.own)\./.test(task);
const node = fc.record({
  status: fc.constantFrom('PENDING', 'DONE'),
  name: fc.constant('n'),
  deps: fc.array(id, { maxLength: 4 }),
  tracking_url: fc.constantFrom(null, 'https://a', 'javascript:x'),
  resources: fc.constant({ desk: 1 }),
});
const tasks = fc
  .uniqueArray(fc.tuple(id, node), { selector: ([one]) => one, maxLength: 12 })
  .map((entries) => Object.fromEntries(entries));

/** Every id of a task anywhere in it. */
function idsIn(answer: JsonValue): string[] {
  return [...JSON.stringify(answer).matchAll(/"((?:[a-z]+\.)*[ABC]_\d)"/g)].map(([, one]) => one as string);
}

describe('an answer of luigid', () => {
  it('names no task of another namespace, and every own one', () => {
    fc.assert(
      fc.property(tasks, (found) => {
        const given = JSON.parse(JSON.stringify(found));
        for (const [method, answer] of [
          ['task_list', given],
          ['graph', given],
          ['dep_graph', given],
          ['task_search', { PENDING: given }],
          ['resource_list', [{ name: 'desk', num_total: 1, num_used: 9, running: given }]],
          [
            'worker_list',
            [
              {
                name: 'w',
                first_task: 'foreign.A_1',
                first_task_display_name: 'foreign.A_1',
                num_pending: 7,
                running: given,
              },
            ],
          ],
        ] as const) {
          const shown = filterAnswer(method, answer as JsonValue, VIEW);
          assert.deepEqual(idsIn(shown).filter(isForeign), [], method);
          assert.doesNotMatch(JSON.stringify(shown), /javascript:|"num_used":9|"num_pending"/, method);
        }
        const own = Object.keys(found).filter((one) => !isForeign(one));
        assert.deepEqual(Object.keys(filterAnswer('task_list', given, VIEW) as object).sort(), own.sort());
      }),
    );
  });

  it('is shown whole to whoever may see all, but for links that are none', () => {
    fc.assert(
      fc.property(tasks, (found) => {
        const given = JSON.parse(JSON.stringify(found));
        const shown = filterAnswer('graph', given, { ...VIEW, namespaces: 'all' });
        assert.deepEqual(shown, JSON.parse(JSON.stringify(given).replaceAll('"javascript:x"', 'null')));
      }),
    );
  });

  it('that is none of its method is a bad gateway', () => {
    for (const [method, answer] of [
      ['task_list', []],
      ['task_list', { 'own.A_1': 1 }],
      ['worker_list', {}],
      ['resource_list', [1]],
      ['fetch_error', 'x'],
      ['graph', null],
    ] as const)
      assert.throws(() => filterAnswer(method, answer as JsonValue, VIEW), { code: 'luigid-unavailable' }, method);
    for (const [method, answer] of [
      ['get_work', null],
      ['get_work', { running_tasks: 1 }],
      ['ping', []],
    ] as const)
      assert.throws(
        () => workerAnswer(method, answer as JsonValue, ['own'], String),
        { code: 'luigid-unavailable' },
        method,
      );
  });

  it('that is work is told from work of others by any of its names', () => {
    const base = { n_pending_tasks: 1, running_tasks: [], task_id: null };
    for (const [more, foreign] of [
      [{ task_id: 'own.A_1', task_family: 'own.A' }, undefined],
      [{ task_id: 'foreign.A_1', task_family: 'own.A' }, 'foreign'],
      [{ task_id: 'own.A_1', task_family: 'foreign.A' }, 'foreign'],
      [{ batch_id: 'b', task_family: 'own.A', batch_task_ids: ['own.A_1', 'x.y.A_2'] }, 'x.y'],
      [{}, undefined],
    ] as const)
      assert.equal(workerAnswer('get_work', { ...base, ...more }, ['own'], String).foreign, foreign);
    const others = [
      { task_id: 'own.A_1', worker: 'w2', host: 'h', first_task: 'foreign.A_1', secret: 1 },
      { task_id: 'foreign.A_1', worker: 'w3' },
    ];
    const { answer } = workerAnswer('count_pending', { ...base, running_tasks: others }, ['own'], String);
    assert.deepEqual((answer as { running_tasks: unknown }).running_tasks, [
      { task_id: 'own.A_1', worker: 'w2', host: 'h' },
    ]);
  });

  it('to a ping asks only what Luigi’s workers do', () => {
    const rpc_messages = [
      { name: 'set_worker_processes', kwargs: { n: 2 } },
      { name: 'stop', kwargs: {} },
      { name: 'dispatch_scheduler_message', kwargs: { task_id: 'own.A_1' }, more: 1 },
    ];
    assert.deepEqual(workerAnswer('ping', { rpc_messages }, ['own'], String).answer, {
      rpc_messages: [rpc_messages[0], { name: 'dispatch_scheduler_message', kwargs: { task_id: 'own.A_1' } }],
    });
  });
});

describe('parameters of a failure', () => {
  it('are shown when they are public, and are never more than the display name says', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '=', ',', ' ', '(', ')'), maxLength: 6 });
    const parameters = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'day'), text);
    fc.assert(
      fc.property(parameters, fc.func(fc.boolean()), (taskParams, isPublic) => {
        const names = Object.keys(taskParams)
          .sort()
          .filter((name) => isPublic(name));
        const displayName = `own.A(${names.map((name) => `${name}=${taskParams[name]}`).join(', ')})`;
        const shown = publicParameters({ displayName, taskFamily: 'own.A', taskParams });
        for (const [name, value] of Object.entries(shown)) assert.ok(displayName.includes(`${name}=${value}`));
      }),
    );
    const taskParams = { day: 'monday', key: 'secret', note: 'x, key=y' };
    const displayName = 'own.A(day=monday, note=x, key=y)';
    assert.deepEqual(publicParameters({ displayName, taskFamily: 'own.A', taskParams }), {
      day: 'monday',
      note: 'x, key=y',
    });
    assert.deepEqual(publicParameters({ displayName: 'else', taskFamily: 'own.A', taskParams }), {});
  });
});

describe('the id of a batch', () => {
  const tokens = { issue: (worker: string) => `plw_${worker}.code` };
  it('is good for the worker that got it, and for no other', () => {
    const seal = batchSeal(tokens);
    const sealed = seal.seal('w1', '0123456789abcdef');
    assert.equal(seal.open('w1', sealed), '0123456789abcdef');
    // After a restart too.
    assert.equal(batchSeal(tokens).open('w1', sealed), '0123456789abcdef');
    for (const [worker, id] of [
      ['w2', sealed],
      ['w1', '0123456789abcdef'],
      ['w1', '0123456789abcdef.'],
      ['w1', `${sealed}x`],
      ['w1', sealed.replace('0', '1')],
      ['w1', ''],
    ] as const)
      assert.equal(seal.open(worker, id), undefined, id);
  });
});
