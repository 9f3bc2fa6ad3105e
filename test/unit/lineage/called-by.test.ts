import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parseCalledBy } from '#lineage/called-by.ts';

const PARENT = { runId: '01A1ff76-8a8b-79be-b623-f59d9ef2630e', namespace: 'airflow-prod', name: 'orders_watch.queue' };
const ROOT = { runId: '01a1ff76-0000-79be-b623-f59d9ef2630e', namespace: 'airflow-prod', name: 'orders_watch' };
const CONTEXT = {
  v: 1,
  sharedId: '3f2a7c1e-1111-4222-8333-944445555666',
  parent: PARENT,
  root: ROOT,
  caller: { issuer: 'airflow-prod', subject: 'system:serviceaccount:etl:worker', dagId: 'orders_watch' },
};

const job = ({ namespace, name }: typeof PARENT) => ({ namespace, name });

describe('what called a pipeline run', () => {
  it('is read as a gateway writes it', () => {
    assert.deepEqual(parseCalledBy(JSON.stringify(CONTEXT)), {
      sharedId: CONTEXT.sharedId,
      parent: { runId: PARENT.runId.toLowerCase(), job: job(PARENT) },
      root: { runId: ROOT.runId, job: job(ROOT) },
      caller: CONTEXT.caller,
    });
  });

  it('has the parent for a root when it names none, and may name neither', () => {
    const { root: _, ...rest } = CONTEXT;
    const read = parseCalledBy(JSON.stringify(rest));
    assert.ok('root' in read);
    assert.deepEqual(read.root, read.parent);
    const bare = parseCalledBy(JSON.stringify({ v: 1, sharedId: 'x' }));
    assert.deepEqual(bare, { sharedId: 'x', parent: undefined, root: undefined, caller: {} });
  });

  const refused: readonly [string, unknown][] = [
    ['another version', { ...CONTEXT, v: 2 }],
    ['a version that is text', { ...CONTEXT, v: '1' }],
    ['a field that nobody knows', { ...CONTEXT, command: 'x' }],
    ['a field of a run that nobody knows', { ...CONTEXT, parent: { ...PARENT, url: 'x' } }],
    ['no shared id', { ...CONTEXT, sharedId: undefined }],
    ['a shared id with a line break', { ...CONTEXT, sharedId: 'a\nb' }],
    ['a shared id that is markup', { ...CONTEXT, sharedId: '<b>x</b>' }],
    ['a run id that is no UUID', { ...CONTEXT, parent: { ...PARENT, runId: 'run-1' } }],
    ['a name that is missing', { ...CONTEXT, parent: { ...PARENT, name: undefined } }],
    ['a name with a control character', { ...CONTEXT, parent: { ...PARENT, name: 'a\u0007b' } }],
    ['a name that is too long', { ...CONTEXT, root: { ...ROOT, name: 'x'.repeat(501) } }],
    ['a root without a parent', { ...CONTEXT, parent: undefined }],
    ['facts of the caller that are no text', { ...CONTEXT, caller: { dagId: 1 } }],
    ['a list', [CONTEXT]],
    ['null', null],
  ];
  for (const [what, context] of refused) {
    it(`refuses ${what}`, () => assert.ok('problem' in parseCalledBy(JSON.stringify(context))));
  }

  it('refuses what is too long, and what is no JSON', () => {
    const long = { ...CONTEXT, caller: Object.fromEntries(Array.from({ length: 30 }, (_, i) => [i, 'x'.repeat(400)])) };
    assert.ok('problem' in parseCalledBy(JSON.stringify(long)));
    assert.ok('problem' in parseCalledBy('{"v":1'));
  });

  it('throws at nothing, and quotes nothing of what it refuses', () => {
    const canary = 'kanarie7f3a91';
    const text = fc.oneof(
      fc.json(),
      fc.string(),
      fc.jsonValue().map((value) => JSON.stringify({ ...CONTEXT, caller: value })),
    );
    fc.assert(
      fc.property(text, (given) => {
        const read = parseCalledBy(given);
        if ('problem' in read) assert.equal(typeof read.problem, 'string');
      }),
    );
    for (const [, context] of refused) {
      const read = parseCalledBy(JSON.stringify(context ?? {}).replaceAll('orders_watch', canary));
      if ('problem' in read) assert.ok(!read.problem.includes(canary));
    }
  });
});
