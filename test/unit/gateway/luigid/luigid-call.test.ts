import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import type { JsonValue } from '#core/json.ts';
import { Problem } from '#gateway/app/problem.ts';
import { encodeCall, isWebUrl, readCall } from '#gateway/luigid/luigid-call.ts';
import { LUIGID_METHODS, type LuigidMethod } from '#gateway/luigid/luigid-methods.ts';
import { strictArguments } from '#gateway/luigid/strict-arguments.ts';
import { pythonOf } from '../../../../scripts/python-environments.mjs';
import { ROOT } from '../../../../scripts/repository.ts';

function method(name: string): LuigidMethod {
  const found = LUIGID_METHODS.get(name);
  assert.ok(found, name);
  return found;
}

function read(name: string, given: JsonValue) {
  return readCall(method(name), `data=${encodeURIComponent(JSON.stringify(given))}`);
}

function refusedFor(name: string, text: string): string | undefined {
  try {
    readCall(method(name), `data=${encodeURIComponent(text)}`);
  } catch (thrown) {
    assert.ok(thrown instanceof Problem);
    assert.equal(thrown.code, 'luigid-call-invalid');
    return thrown.facts.reason;
  }
  return undefined;
}

const SIGNATURES = `
import inspect, json
from luigi.scheduler import Scheduler, RPC_METHODS
print(json.dumps({name: [p.name for p in inspect.signature(getattr(Scheduler, name)).parameters.values()
  if p.name != 'self' and p.kind != p.VAR_KEYWORD] for name in RPC_METHODS}))
`;

describe('the methods of luigid', () => {
  /** What luigid takes in `**kwargs`, and only Luigi’s workers know. */
  const IN_KEYWORDS: Readonly<Record<string, readonly string[]>> = {
    ping: ['worker'],
    announce_scheduling_failure: ['worker'],
  };

  for (const name of ['luigi', 'luigi-oldest'])
    it(`are those of ${name === 'luigi' ? 'the newest' : 'the oldest'} Luigi, with each argument`, function () {
      this.timeout(20_000);
      const output = execFileSync(pythonOf(ROOT, name), ['-c', SIGNATURES], { encoding: 'utf8' });
      const theirs = JSON.parse(output) as Record<string, string[]>;
      delete theirs['update_metrics_task_started'];
      const added = name === 'luigi' ? [] : ['report_task_statistics'];
      assert.deepEqual([...LUIGID_METHODS.keys()].sort(), [...Object.keys(theirs), ...added].sort());
      for (const [one, given] of Object.entries(theirs)) {
        const expected = [...given, ...(IN_KEYWORDS[one] ?? [])].sort();
        assert.deepEqual([...method(one).arguments.keys()].sort(), expected, one);
      }
    });

  it('that look at every task are read by one reader', () => {
    const costly = [...LUIGID_METHODS.values()].filter((one) => one.costly).map((one) => one.name);
    assert.deepEqual(costly.sort(), [
      'dep_graph',
      'graph',
      'inverse_dep_graph',
      'resource_list',
      'task_list',
      'task_search',
      'worker_list',
    ]);
  });
});

describe('a call', () => {
  it('means the same when it is written again', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 20 });
    const task = fc.record(
      {
        task_id: fc.constant('a.T_1'),
        worker: fc.constant('w'),
        module: fc.option(text),
        params: fc.dictionary(
          text.filter((name) => name !== '__proto__'),
          text,
        ),
        expl: fc.jsonValue() as fc.Arbitrary<JsonValue>,
        priority: fc.integer(),
      },
      { requiredKeys: ['task_id', 'worker'] },
    );
    fc.assert(
      fc.property(task, (given) => {
        const wanted = JSON.parse(JSON.stringify(given));
        fc.pre(typeof strictArguments(JSON.stringify(given)) !== 'string');
        const call = read('add_task', given as JsonValue);
        assert.deepEqual(JSON.parse(decodeURIComponent(encodeCall(call).slice(5))), wanted);
      }),
    );
  });

  it('is one text however it was written', () => {
    const one = read('get_work', { worker: 'w', host: 'h', assistant: false });
    const other = readCall(
      method('get_work'),
      'data=%7B+%22assistant%22:false'.replace(':', '%3A') +
        '%2C%22w%5Cu006frker%22%3A%22w%22%2C%22host%22%3A%22h%22%7D',
    );
    assert.equal(encodeCall(one), encodeCall(other));
  });

  it('of a worker with batches keeps Luigi’s own size, which is no JSON', () => {
    const text = '{"worker": "w", "task_family": "a.T", "batched_args": ["n"], "max_batch_size": Infinity}';
    const call = readCall(method('add_task_batcher'), `data=${encodeURIComponent(text)}`);
    assert.deepEqual(call.arguments, { worker: 'w', task_family: 'a.T', batched_args: ['n'] });
    assert.equal(refusedFor('add_task_batcher', text.replace('"n"', 'Infinity')), 'json');
    const hidden = JSON.stringify({ worker: '"max_batch_size": Infinity}', task_family: 'a.T', batched_args: [] });
    assert.equal(
      readCall(method('add_task_batcher'), `data=${encodeURIComponent(hidden)}`).arguments['worker'],
      '"max_batch_size": Infinity}',
    );
  });

  for (const [text, reason] of [
    ['{"worker":"w","worker":"x"}', 'duplicate-key'],
    ['{"worker":"w","\\u0077orker":"x"}', 'duplicate-key'],
    ['{"worker":"w", "worker" :1}', 'duplicate-key'],
    ['{"__proto__":{},"worker":"w"}', 'json'],
    ['{"\\u005f_proto__":{},"worker":"w"}', 'json'],
    ['{"worker":"w"}x', 'json'],
    ['{"worker":12345678901234567890}', 'number'],
    ['{"worker":1e999}', 'number'],
    [`{"worker":${'['.repeat(40)}${']'.repeat(40)}}`, 'depth'],
    ['{}', 'argument'],
    ['{"worker":"w","extra":1}', 'argument'],
    ['{"worker":null}', 'argument'],
  ] as const)
    it(`is refused as ${reason}: ${text.slice(0, 40)}`, () => {
      assert.equal(refusedFor('ping', text), reason);
    });

  it('has each name once, whatever is in it', () => {
    // An own reading of names, by a reviver that sees every one: JSON.parse keeps the last of equal ones only.
    const name = fc
      .constantFrom('a', 'b', 'c', '\\u0061', 'd"', 'e\\\\')
      .map((one) => JSON.stringify(one).replaceAll('\\\\u', '\\u'));
    const object = fc.array(fc.tuple(name, fc.constantFrom('1', '"x:y"', '[{"a":1},{"a":2}]', '"\\"a\\":"')), {
      maxLength: 5,
    });
    fc.assert(
      fc.property(object, (pairs) => {
        const text = `{${pairs.map(([key, value]) => `${key} : ${value}`).join(', ')}}`;
        const names = pairs.map(([key]) => JSON.parse(key));
        const isTwice = new Set(names).size < names.length;
        assert.equal(strictArguments(text) === 'duplicate-key', isTwice, text);
      }),
    );
  });

  it('has no link but to a page', () => {
    for (const url of ['https://a.example/x?y#z', 'http://host:8080/']) assert.equal(isWebUrl(url), true, url);
    for (const url of [
      'javascript:alert(1)',
      ' https://a',
      'https://a\n',
      'java\tscript:x',
      'ftp://a',
      '//a',
      '/a',
      '',
      'data:,x',
      'HTTPS ://a',
    ])
      assert.equal(isWebUrl(url), false, url);
  });
});
