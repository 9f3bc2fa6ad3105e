import assert from 'node:assert/strict';
import fc from 'fast-check';
import { isInNamespaces } from '#gateway/policy/luigid-access.ts';
import { binding, policyFrom, policyText, problemsOf, ROLE } from '../../../support/sample-policy.ts';

type Fields = Readonly<Record<string, unknown>>;

const rolesWith = (map: Readonly<Record<string, Fields>>) => ({
  roles: {
    sales: ROLE,
    ...Object.fromEntries(Object.entries(map).map(([name, role]) => [name, { ...ROLE, ...role }])),
  },
  bindings: [binding()],
});
const problems = (map: Readonly<Record<string, Fields>>) =>
  problemsOf(policyText(rolesWith(map))).map((problem) => problem.replace(/^\d+:/, ''));
const owned = (field: string, other: string) =>
  `roles.${field}: belongs to '${other}' too, and not both say why with \`sharedNamespaces\``;
const why = { sharedNamespaces: 'x' };

describe('namespaces of roles', () => {
  const rows: readonly (readonly [string, Readonly<Record<string, Fields>>, readonly string[]])[] = [
    ['are of one role each', { a: { namespaces: ['a', ''] }, b: { namespaces: ['b', 'ab'] } }, []],
    ['are not of two', { a: { namespaces: ['x', 'y'] }, b: { namespaces: ['y'] } }, [owned('b.namespaces[0]', 'a')]],
    [
      'hold what lies below',
      { a: { namespaces: ['x'] }, b: { namespaces: ['x.y.z'] } },
      [owned('b.namespaces[0]', 'a')],
    ],
    [
      'hold what lies below in any order',
      { a: { namespaces: ['x.y'] }, b: { namespaces: ['x'] } },
      [owned('a.namespaces[0]', 'b')],
    ],
    ['are not what only begins alike', { a: { namespaces: ['x'] }, b: { namespaces: ['x_y', 'xy.x'] } }, []],
    ['look at the case', { a: { namespaces: ['x'] }, b: { namespaces: ['X'] } }, []],
    [
      'without a name are of one role',
      { a: { namespaces: [''] }, b: { namespaces: [''] } },
      [owned('b.namespaces[0]', 'a')],
    ],
    ['without a name hold nothing else', { a: { namespaces: [''] }, b: { namespaces: ['x'] } }, []],
    ['may be of two that both say why', { a: { namespaces: ['x'], ...why }, b: { namespaces: ['x.y'], ...why } }, []],
    [
      'are not of two when only one says why',
      { a: { namespaces: ['x'], ...why }, b: { namespaces: ['x'] } },
      [owned('b.namespaces[0]', 'a')],
    ],
    [
      'are not of a third that says nothing',
      { a: { namespaces: ['x'], ...why }, b: { namespaces: ['x'], ...why }, c: { namespaces: ['x.y'] } },
      [owned('c.namespaces[0]', 'a')],
    ],
    [
      'are not of a third that says why beside one that does not',
      {
        a: { namespaces: ['x'], ...why },
        b: { namespaces: ['x'], ...why },
        c: { namespaces: ['x.y'], ...why },
        d: { namespaces: ['x.y.z'] },
      },
      [owned('d.namespaces[0]', 'a')],
    ],
    ['may overlap within a role', { a: { namespaces: ['x', 'x.y'] } }, []],
  ];
  for (const [what, map, expected] of rows) it(what, () => assert.deepEqual(problems(map), expected));

  for (const namespace of ['x.', '.x', 'x..y', 'x y', 'x-y', 'x/*', '*', 'ä', 'x\n'])
    it(`are never ${JSON.stringify(namespace)}`, () =>
      assert.match(
        problems({ a: { namespaces: [namespace] } }).join(),
        /^roles\.a\.namespaces\[0\]: must be a Luigi namespace/,
      ));

  it('are none for a role that does not say, or is not there', () => {
    const policy = policyFrom(rolesWith({ a: { namespaces: ['x', ''] } }));
    assert.deepEqual(
      ['a', 'sales', 'nobody', 'constructor'].map((role) => policy.namespacesOf(role)),
      [['x', ''], [], [], []],
    );
  });

  it('are told apart for any roles: no task is of two of them unless both say why', () => {
    const namespace = fc.array(fc.constantFrom('x', 'y', 'xy'), { maxLength: 3 }).map((steps) => steps.join('.'));
    const role = fc.record({
      namespaces: fc.uniqueArray(namespace, { minLength: 1, maxLength: 3 }),
      isSaid: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(role, { minLength: 2, maxLength: 4 }), (all) => {
        const map = Object.fromEntries(
          all.map(({ namespaces, isSaid }, i) => [`r${i}`, { namespaces, ...(isSaid && why) }]),
        );
        const isShared = all.some((one, i) =>
          all.some((two, j) => {
            const [mine, theirs] = [one.namespaces, two.namespaces];
            const task = (own: string) => (own === '' ? 'T' : `${own}.T`);
            return i !== j && !(one.isSaid && two.isSaid) && mine.some((own) => isInNamespaces(task(own), theirs));
          }),
        );
        assert.equal(problems(map).length > 0, isShared, JSON.stringify(map));
      }),
      { numRuns: 300 },
    );
  });
});

describe('isInNamespaces', () => {
  const rows: readonly (readonly [string, readonly string[] | 'all', boolean])[] = [
    ['sales.Load', ['sales'], true],
    ['sales.Load_2026_01_a1b2c3d4e5', ['sales'], true],
    ['sales.eu.Load', ['sales'], true],
    ['salesforce.Load', ['sales'], false],
    ['Sales.Load', ['sales'], false],
    ['Load', ['sales'], false],
    ['sales', ['sales'], false],
    ['Load', [''], true],
    ['sales.Load', [''], false],
    ['.Load', [''], true],
    ['sales.Load', [], false],
    ['sales.Load', 'all', true],
  ];
  for (const [task, namespaces, expected] of rows)
    it(`${expected ? 'has' : 'has not'} ${task} in ${JSON.stringify(namespaces)}`, () =>
      assert.equal(isInNamespaces(task, namespaces), expected));
});
