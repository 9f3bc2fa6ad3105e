import assert from 'node:assert/strict';
import fc from 'fast-check';
import { FairTurn } from '#gateway/runs/fair-turn.ts';
import type { QueueHead } from '#gateway/runs/run-store.ts';

interface Waiting extends QueueHead {
  readonly id: string;
}

/** The oldest of each caller of each role, as the store gives it. */
function headsOf(waiting: readonly Waiting[]): QueueHead[] {
  const heads = new Map<string, QueueHead>();
  for (const run of waiting) {
    const key = `${run.role}/${run.scope}`;
    if (run.id < (heads.get(key)?.id ?? '~')) heads.set(key, run);
  }
  return [...heads.values()];
}

/** The order in which runs start, one after the other. */
function order(waiting: readonly Waiting[]): readonly Waiting[] {
  const turn = new FairTurn();
  const left = new Set(waiting);
  const started: Waiting[] = [];
  while (left.size > 0) {
    const heads = headsOf([...left]);
    const next = turn.next(heads, new Map(), { total: 1, ofRole: () => 1 });
    const run = [...left].find(({ id }) => id === next?.id);
    assert.ok(next && run);
    turn.taken(next, heads);
    left.delete(run);
    started.push(run);
  }
  return started;
}

/** Something of each start, for each caller of each role. */
function byCaller<T>(started: readonly Waiting[], of: (run: Waiting, place: number) => T): T[][] {
  const found = new Map<string, T[]>();
  for (const [place, one] of started.entries()) {
    const key = `${one.role}/${one.scope}`;
    found.set(key, [...(found.get(key) ?? []), of(one, place)]);
  }
  return [...found.values()];
}

const run = (role: string, scope: string, number: number): Waiting => ({
  role,
  scope,
  id: String(number).padStart(5, '0'),
});

describe('whose turn it is', () => {
  it('is one role after the other, and in a role one caller after the other', () => {
    const crowd = Array.from({ length: 6 }, (_, index) => run('etl', 'crowd', index));
    const started = order([
      ...crowd,
      run('etl', 'other', 100),
      run('reports', 'third', 101),
      run('reports', 'third', 102),
    ]);
    assert.deepEqual(
      started.map(({ scope }) => scope),
      ['crowd', 'third', 'other', 'third', 'crowd', 'crowd', 'crowd', 'crowd', 'crowd'],
    );
  });

  it('comes for everybody within as many turns as there are roles times callers of a role', () => {
    const waiting = fc
      .array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('x', 'y', 'z')), { minLength: 1, maxLength: 60 })
      .map((pairs) => pairs.map(([role, scope], index) => run(role, scope, index)));
    fc.assert(
      fc.property(waiting, (runs) => {
        const started = order(runs);
        for (const ids of byCaller(started, (_, place) => place))
          assert.ok((ids[0] ?? 0) < 9, `a first turn at ${ids}`);
        const ids = byCaller(started, ({ id }) => id);
        for (const own of ids) assert.deepEqual(own, own.toSorted(), 'in the order of creation');
      }),
    );
  });

  it('waits for the limits of the role and of the gateway', () => {
    const turn = new FairTurn();
    const heads = [run('etl', 'x', 1), run('reports', 'x', 2)];
    const ofRole = (role: string) => (role === 'etl' ? 1 : 5);
    assert.equal(turn.next(heads, new Map([['etl', 1]]), { total: 10, ofRole })?.role, 'reports');
    assert.equal(turn.next(heads, new Map([['etl', 1]]), { total: 1, ofRole }), undefined);
    assert.equal(turn.next([], new Map(), { total: 10, ofRole }), undefined);
  });
});
